"""WeCom app messages."""
