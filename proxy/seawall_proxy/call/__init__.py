"""The life of one RPC: attempts, commit point, replay, deadline, fallback, final status. Pure: told the time
and the dice.
"""
