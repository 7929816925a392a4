"""Any HTTP service, by a template of the request."""
