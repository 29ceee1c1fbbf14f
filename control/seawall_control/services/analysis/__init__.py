"""Analysis as its users meet it: gathers counts, asks the pure parts (domain/analysis), applies changes."""
