"""Short messages over any HTTP service."""
