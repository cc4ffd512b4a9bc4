"""What the database itself refuses and orders: the audit chain grows only, changes keep order."""

from __future__ import annotations

from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0002"
down_revision = "0001"

REFUSED = "the audit chain only grows: no entry is changed or removed"
GENESIS = "0" * 64
SQLITE = [
    f"""CREATE TRIGGER audit_no_{word.lower()} BEFORE {word} ON audit
        BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"""
    for word in ("UPDATE", "DELETE")
]
# A sequence number is drawn before its transaction commits: without the lock, a reader could
# see number 6 before 5 is there, and go on from 6.
POSTGRESQL = [
    f"""CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$""",
    """CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()""",
    """CREATE FUNCTION one_change_at_a_time() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('tocsin changes')); RETURN NULL; END $$""",
    """CREATE TRIGGER changes_in_order BEFORE INSERT ON changes
        FOR EACH STATEMENT EXECUTE FUNCTION one_change_at_a_time()""",
]


def upgrade() -> None:
    """Make the triggers, and the head of the chain, which every writer locks."""
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
    op.execute(
        f"INSERT INTO audit_head (id, number, hash) SELECT 1, 0, '{GENESIS}' "
        "WHERE NOT EXISTS (SELECT 1 FROM audit_head)"
    )
