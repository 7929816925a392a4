"""Easemob IM, single chat over REST: sheet easemob."""
