"""A data path of several processes: the pool in the front's process, the workers, and what they say."""
