"""How likely an alert is to be real, by what people said of earlier ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; nothing is known of alerts that are there."""
    op.add_column("alerts", sa.Column("priority", sa.Float(), nullable=True))
