"""PushGo: messages into channels (sheet pushgo, seed 002)."""

from onebell.dialects.pushgo.compat import Compat
from onebell.dialects.pushgo.routes import PushGo, route_not_found

__all__ = ["Compat", "PushGo", "route_not_found"]
