"""WxPusher."""
