"""How each kind of channel tells."""
