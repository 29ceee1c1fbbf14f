"""The description of the HTTP API (https://spec.openapis.org/oas/v3.1.1), made from what is served.

RPCs come from the descriptors of the registry and the comments of the .proto files (seawall/v1/comments.json,
written by scripts/gen_proto.py); the paths that are written by hand come from the table of routes, with what
paths.py says about their parameters. So nothing is described that is not served, and a test compares the two.
"""
