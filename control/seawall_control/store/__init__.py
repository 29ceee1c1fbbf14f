"""What must survive: one port in words of the domain, and adapters behind it."""
