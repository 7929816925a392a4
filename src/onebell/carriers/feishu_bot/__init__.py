"""Feishu and Lark custom bots."""
