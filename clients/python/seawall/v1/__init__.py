"""Generated messages and stubs of the `seawall.v1` contract; regenerate with `make proto`."""
