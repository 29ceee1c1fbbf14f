"""The control plane: keeps the policies, pushes them live, and keeps the record of what happened."""
