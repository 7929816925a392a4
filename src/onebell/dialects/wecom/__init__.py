"""WeCom message push: group bots (sheet wecom, seed 003)."""
