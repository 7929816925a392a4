"""Easemob's client protocol MSYNC: what the official SDKs speak over a WebSocket (sheet easemob-msync)."""
