"""What runbooks do, one kind of thing a file; actuators.py lists them."""
