"""The store: one set of tables and verbs for SQLite and PostgreSQL."""
