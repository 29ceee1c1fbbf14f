"""Real parts for integration tests: processes, a gRPC server with switches, waiting for conditions."""
