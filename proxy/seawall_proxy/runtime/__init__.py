"""The asyncio edge: listeners, transports, timers, signals, the control link and admin HTTP."""
