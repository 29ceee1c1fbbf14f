"""The edge of the control plane: decode, call a service, encode. Errors become statuses in one table."""
