"""What the proxy tells the world: counters, metrics, error events, spans.

The only package that knows a metric's name.
"""
