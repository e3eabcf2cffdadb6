"""What a strict reader says of what cannot be right, and of what is not evaluated."""


class Wrong(Exception):
    """What a strict reader cannot accept."""


class Untold(Exception):
    """What is not evaluated, and why."""
