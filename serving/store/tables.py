"""The tables of the store; `serving/store/migrations` brings a database to them."""

from __future__ import annotations

import sqlalchemy as sa

from pipeline.database import UtcTime

__all__ = [
    "METADATA",
    "alert_notes",
    "alerts",
    "api_keys",
    "audit",
    "audit_head",
    "changes",
    "incidents",
    "memory",
    "outbox",
    "run_steps",
    "runs",
    "sessions",
    "silences",
    "users",
]

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id(name: str = "id") -> sa.Column[str]:
    return sa.Column(name, sa.String(64), primary_key=True)


def _text(name: str, *, index: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, default="", index=index)


def _time(name: str, *, index: bool = False, null: bool = True) -> sa.Column[object]:
    return sa.Column(name, UtcTime, nullable=null, index=index)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON, nullable=False, default=dict)


def _count(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, default=default)


incidents = sa.Table(
    "incidents",
    METADATA,
    _id(),
    _text("group", index=True),  # what alerts must share to belong together
    _text("title"),
    _text("severity"),
    _text("state", index=True),  # open, resolved
    _text("owner"),
    _text("playbook"),
    _time("opened_at", index=True, null=False),
    _time("resolved_at"),
    _time("updated_at", null=False),
    _text("told"),  # the worst severity that people were told of
    _json("entities"),  # list of entities
    _json("fields"),  # documentation fields: summary, impact, actions, resolution
)

alerts = sa.Table(
    "alerts",
    METADATA,
    _id(),  # of the fingerprint and the window that opened it
    _text("fingerprint", index=True),
    sa.Column("incident", sa.ForeignKey("incidents.id"), nullable=True, index=True),
    _text("view"),
    _text("entity", index=True),
    _text("family"),  # the ladder or the arm kind that it tells of
    _text("severity"),
    _text("state", index=True),  # pending, firing, acknowledged, resolved
    _text("title"),
    _text("why"),
    _text("first_step"),
    _text("playbook"),
    _text("model_version"),
    _time("start", null=False),  # the window that opened it
    _time("opened_at", index=True, null=False),
    _time("last_seen", null=False),
    _time("fired_at"),
    _time("acknowledged_at"),
    _text("acknowledged_by"),
    _time("snoozed_until"),
    _time("resolved_at"),
    _time("notified_at"),
    _time("updated_at", index=True, null=False),
    _count("windows", 1),  # how many windows it has gathered
    sa.Column("risk", sa.Float, nullable=False, default=0.0),  # 0 to 100
    sa.Column("per_day", sa.Float, nullable=True),  # rarest so far, 1/day
    sa.Column("priority", sa.Float, nullable=True),  # chance that it is real, 0 to 1
    _text("verdict"),  # real, noise, wrong_team, or empty
    _text("verdict_by"),
    _text("suppressed"),  # why nobody was told, or empty
    _json("arms"),  # which arms fired, with their part
    _json("breaches"),  # list of Breach
    _json("reasons"),  # list of Reason
    _json("labels"),
    _json("evidence"),  # the window's features and all that replays the score
)

alert_notes = sa.Table(
    "alert_notes",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("alert", sa.String(64), nullable=True, index=True),
    sa.Column("incident", sa.String(64), nullable=True, index=True),
    _time("at", null=False),
    _text("who"),
    _text("what"),
    _json("detail"),
)

silences = sa.Table(
    "silences",
    METADATA,
    _id(),
    _text("kind"),  # silence, maintenance
    _json("matchers"),  # list of {label, operator, value}
    _time("starts_at", null=False),
    _time("ends_at", index=True, null=False),
    _text("created_by"),
    _text("comment"),
    _time("warned_at"),
)

outbox = sa.Table(
    "outbox",
    METADATA,
    _id(),
    sa.Column("dedup_key", sa.String(255), nullable=False, unique=True),
    sa.Column("alert", sa.String(64), nullable=True, index=True),
    sa.Column("incident", sa.String(64), nullable=True, index=True),
    _text("route"),
    _text("channel"),
    _text("action"),  # trigger, acknowledge, resolve, notice
    _json("payload"),
    _text("state"),  # pending, sent, dead, cancelled
    _time("created_at", null=False),
    _time("due_at", null=False),
    _count("attempts"),
    _time("leased_until"),
    _text("leased_by"),
    _text("error"),
    _time("sent_at"),
    sa.Index("ix_outbox_state_due", "state", "due_at"),
)

runs = sa.Table(
    "runs",
    METADATA,
    _id(),
    _text("playbook", index=True),
    _text("incident", index=True),
    _text("state", index=True),  # running, paused, done, aborted
    _text("mode"),  # live, dry_run, shadow, drill
    _time("started_at", null=False),
    _time("ended_at"),
    sa.Column("exact", sa.Boolean, nullable=False, default=False),  # deterministic evidence
    _json("parameters"),
    _json("definition"),  # as it was when the run began
)

run_steps = sa.Table(
    "run_steps",
    METADATA,
    sa.Column("run", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("step", sa.String(64), primary_key=True),
    _count("position"),
    _text("state"),  # waiting, approval, manual, acting, done, failed, skipped
    _text("effect"),  # of its action
    _count("people"),  # how many must approve
    _text("why"),  # why it waits, failed or was skipped
    _time("due_at", null=False),
    _time("leased_until"),
    _text("leased_by"),
    _count("attempts"),
    _json("approvals"),  # list of {who, at}
    _json("intent"),
    _json("outcome"),
    _time("started_at"),
    _time("ended_at"),
    sa.Index("ix_run_steps_state_due", "state", "due_at"),
)

users = sa.Table(
    "users",
    METADATA,
    _id("name"),
    _text("password_hash"),
    _text("role"),
    _time("created_at", null=False),
    _time("disabled_at"),
)

sessions = sa.Table(
    "sessions",
    METADATA,
    _id("token_hash"),
    sa.Column("user", sa.ForeignKey("users.name"), nullable=False),
    _text("csrf"),
    _time("expires_at", null=False),
)

api_keys = sa.Table(
    "api_keys",
    METADATA,
    _id(),  # the public part of the key
    _text("name"),
    _text("secret_hash"),
    _text("role"),
    _json("scopes"),
    _count("per_minute", 6_000),
    _time("created_at", null=False),
    _time("expires_at"),
    _time("revoked_at"),
)

memory = sa.Table(
    "memory",
    METADATA,
    sa.Column("part", sa.String(64), primary_key=True),  # rules, sequences, risk, triage
    sa.Column("key", sa.Text, primary_key=True),  # an entity's name may be of any length
    _json("state"),
)

changes = sa.Table(
    "changes",
    METADATA,
    # Never used again, also when all rows are forgotten: pages resume from it.
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
    _time("at", index=True, null=False),
    _text("kind"),  # alert, incident, run, silence, window
    _text("subject"),
    _json("fields"),
    sqlite_autoincrement=True,
)

audit = sa.Table(
    "audit",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    _time("at", null=False),
    _text("who"),
    _text("what"),
    _text("subject", index=True),
    _json("detail"),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

audit_head = sa.Table(
    "audit_head",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
