"""What the control plane's store takes in and answers: `python -m benchmarks.control`, `make bench-control`.

Ingest goes through the use case, with redaction, bounds, grouping and the numbers of spools; beside it the
same rows are written by the database's own bulk insert into the same table, with the same durability. Only
that ratio says something about another machine. Questions are asked of a table with many events.
"""
