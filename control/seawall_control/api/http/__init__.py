"""HTTP of the control plane.

parts.py is what the endpoints use, app.py wraps the application, listener.py serves it. pages.py holds
/health, /ready, /metrics and /status, events.py the error events, export.py
them as a file. answers.py and reading.py are how all of
them fail and read, guard.py what stands in front: a Host header that names this listener (a page of another
site must not reach it through DNS rebinding), and for changes JSON as content type from the same site.

Errors have one shape: {"error": {"reason", "message", "violations"}}.
"""

from seawall_control.api.http.app import application, routes
from seawall_control.api.http.listener import HttpServer, bind
from seawall_control.api.http.parts import HttpParts

__all__ = ["HttpParts", "HttpServer", "application", "bind", "routes"]
