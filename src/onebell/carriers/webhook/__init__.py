"""Webhooks of one's own."""
