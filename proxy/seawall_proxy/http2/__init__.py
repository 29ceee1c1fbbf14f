"""Sans-I/O HTTP/2 (RFC 9113) and HPACK (RFC 7541), both roles.

Bytes go in through `Connection.receive`, bytes come out of `Connection.take_output`; everything in between is
plain method calls on handlers. Nothing here knows a clock, a socket, gRPC semantics or any policy.
"""
