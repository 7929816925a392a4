"""The native API (DESIGN §8): inbox, streams, messages and administration over JSON."""
