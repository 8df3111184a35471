"""Cakes proposed to a person as what an unmarked create made."""

from cakegate.adapters.store import migrations

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    migrations.run_sql_beside(__file__)
