"""A policy revision that is tried on a part of the fleet before the rest gets it, and taken back by itself
when it does harm.
"""
