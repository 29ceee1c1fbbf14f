"""Clusters, endpoints and their connections: who can be reached, and on which connection. Told the time;
dials through a port.
"""
