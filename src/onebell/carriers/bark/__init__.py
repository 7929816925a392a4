"""Bark, notifications on Apple devices."""
