"""Gotify servers."""
