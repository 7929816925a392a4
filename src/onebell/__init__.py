"""onebell: one bell for every push API."""

__version__ = "0.1.0"
