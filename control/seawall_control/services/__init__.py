"""The use cases of the control plane; each is one transaction boundary."""
