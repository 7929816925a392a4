"""DingTalk custom robots."""
