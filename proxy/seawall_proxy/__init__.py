"""The data plane: moves the bytes of each call through its route's policy."""

# First, because it decides whether the compiled form of the hot modules is used.
import seawall_policy as _seawall_policy  # noqa: F401
