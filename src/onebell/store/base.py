"""The store as the rest of onebell sees it: verbs, grouped by what they are about."""


class Store:
    """All verb groups over one database."""
