"""Tencent HiFlow (腾讯轻联)."""
