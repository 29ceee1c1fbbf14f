"""Where the control plane keeps what must survive: one port that speaks domain verbs, and adapters behind it."""
