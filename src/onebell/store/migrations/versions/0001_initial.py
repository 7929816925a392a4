"""All tables of the first release."""

from alembic import op

from onebell.store.schema import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table. The first step that changes one freezes this list as it was."""
    metadata.create_all(op.get_bind())
