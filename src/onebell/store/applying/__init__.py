"""Bring a space to what a directory file wants."""
