"""Submissions and all that belongs to them."""

from cakegate.adapters.store import migrations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL file of the same name."""
    migrations.run_sql_beside(__file__)
