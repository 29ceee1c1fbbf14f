"""What the control plane knows and decides: frozen values and pure functions, told the time and given every
id.
"""
