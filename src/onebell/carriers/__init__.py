"""OUT: one folder per way out."""
