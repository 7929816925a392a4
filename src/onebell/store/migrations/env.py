"""Alembic's door: runs the steps on the connection it is handed, in the transaction that is open there."""

from alembic import context

from onebell.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # Ours to begin and end (onebell.store.migrate).
    transactional_ddl=False,
)
context.run_migrations()
