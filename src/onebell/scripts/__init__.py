"""Strangers' JavaScript: V8 in worker processes with limits, and a pool that no script can hold up (DESIGN §4, §9)."""
