"""Jijyun (集简云)."""
