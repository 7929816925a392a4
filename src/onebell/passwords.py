"""What people choose to sign in with: one rule for pages, command line and directory file.

Dialects have passwords of their own, by their services' rules.
"""

LEAST_CHARACTERS = 8
MOST_CHARACTERS = 200
LENGTH = f"{LEAST_CHARACTERS} to {MOST_CHARACTERS} characters"


def is_allowed(password: str) -> bool:
    """Whether somebody may choose it."""
    return LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS
