"""`make soak MINUTES=60`: whether the proxy comes back to where it was after an hour of trouble.

Traffic of every kind runs through one proxy (`traffic`, `rude`) while its upstreams are killed, frozen and
restarted and its policy changes under it (`troubles`). A bystander on an upstream that nobody touches must
see no failed call. Before and after, with everything quiet, the proxy's numbers are read, and all through
the run they are sampled; `judge` compares.
"""
