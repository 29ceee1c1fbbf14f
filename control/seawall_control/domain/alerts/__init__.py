"""Alerts: rules, what they are about, how an alert lives, who is told, and how the telling is paced.

Everything here is told the time, in microseconds since the epoch, and is given identities; nothing waits,
sends or stores.
"""
