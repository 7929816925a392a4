"""IN: one folder per service whose API onebell speaks."""
