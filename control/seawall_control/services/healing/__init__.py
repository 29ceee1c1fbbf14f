"""Self-healing as it is done: signals in, runbooks decide (domain/healing), actions out, all recorded."""
