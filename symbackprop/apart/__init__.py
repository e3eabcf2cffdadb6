"""Somebody else's code: loading it and calling it, here or apart, in a process of its own with limits.

What runs over there (`files`, `libraries`, `source`, `forms`, `threads`, `child`) loads the code, calls it and sends
back what came of it; nothing is judged there. `process` starts it, asks, and ends it; `wire` is how values travel. Of
all libraries, NumPy alone is imported here.
"""

SECONDS, GIGABYTES = 20.0, 4.0  # for each call, and for a file's process
SEEDS = 1_000_000


def random_seed() -> int:
    """A seed that no file can have been written for."""
    import secrets

    return secrets.randbelow(SEEDS)
