"""What models think a picture shows, and what people say of it."""

from cakegate.adapters.store import migrations

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    migrations.run_sql_beside(__file__)
