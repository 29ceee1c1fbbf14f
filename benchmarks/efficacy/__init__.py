"""How much of what goes wrong behind it a proxy keeps from its callers; `python -m benchmarks.efficacy`."""
