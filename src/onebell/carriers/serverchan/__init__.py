"""ServerChan, Turbo and ³."""
