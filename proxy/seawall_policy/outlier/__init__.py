"""Endpoints that do worse than the others, and for how long they are left out.

`options` says what is looked for, `tally` counts the attempts of one endpoint, `sequential` weighs them one
by one against those of the others, `times` says what is slow, `rates` are the two algorithms of gRFC A50,
`standing` is the life of an ejection, and `detector` puts them together for one cluster.
"""
