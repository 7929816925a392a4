"""PushGo: messages into channels (sheet pushgo, seed 002)."""
