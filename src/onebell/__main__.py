"""``python -m onebell``."""

from onebell.cli import main

main()
