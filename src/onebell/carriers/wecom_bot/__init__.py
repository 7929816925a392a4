"""WeCom group bots."""
