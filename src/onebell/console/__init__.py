"""The console: its one-time set-up link, and the built web app."""
