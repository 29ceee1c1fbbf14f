"""A small shop of three gRPC services, a load on it, and the demonstration that breaks it."""
