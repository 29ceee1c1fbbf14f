"""What is measured, one module a figure: each has a NAME for `--only` and a `run`."""
