"""Self-healing, decided purely: what is observed (conditions), what may be done (actions), when it is done
and whether it helped (runbooks, engine). Told the time; does nothing by itself.
"""
