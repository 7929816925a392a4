"""IFTTT Webhooks."""
