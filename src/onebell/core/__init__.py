"""The core: knows neither HTTP nor SQL nor JSON, and no dialect and no carrier by name."""
