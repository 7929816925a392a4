"""PushPlus (推送加), the message API of its document 1.11.0."""

from onebell.dialects.pushplus.routes import PushPlus

__all__ = ["PushPlus"]
