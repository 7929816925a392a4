"""WeCom message push: group bots (sheet wecom, seed 003)."""

from onebell.dialects.wecom.routes import WeCom

__all__ = ["WeCom"]
