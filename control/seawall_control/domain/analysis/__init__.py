"""Finding and foretelling, purely: what in the record is unusual (detectors), what comes next (forecast), and
what could be changed about it (recommendations). Works on counts by bucket of time; reads no event.
"""
