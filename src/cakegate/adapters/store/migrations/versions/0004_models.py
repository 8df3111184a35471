"""Models as workers load them, and shadows' verdicts by time."""

from cakegate.adapters.store import migrations

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    migrations.run_sql_beside(__file__)
