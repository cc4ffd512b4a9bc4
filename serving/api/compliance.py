"""How the rules of the house itself are kept, each line with what to do when it is not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pipeline.database import reading
from serving.alerts.acts import FIELDS
from serving.coverage import coverage
from serving.store.audit import head, verify
from serving.store.tables import alerts, incidents, outbox, run_steps, runs, silences

__all__ = ["compliance"]

# The whole chain is read up to so many entries; `tocsin audit verify` reads any.
MOST_VERIFIED = 20_000


def compliance(house: Any, now: datetime) -> list[dict[str, Any]]:
    """Lines of name, value, state (ok, warn, bad) and what it means."""
    with reading(house.engine) as connection:
        return [
            _audit(connection),
            _coverage(house),
            _documented(connection),
            _waiting(connection, now),
            _untold(connection),
            _judged(connection),
            _silenced(connection, now),
        ]


def _audit(connection: sa.Connection) -> dict[str, Any]:
    number, _ = head(connection)
    if number > MOST_VERIFIED:
        said = "too long to be verified here: run `tocsin audit verify`"
        return _line("Audit trail", f"{number:,} entries", "warn", said)
    fault = verify(connection)
    said = fault or "every entry is as it was written"
    return _line("Audit trail", f"{number:,} entries", "bad" if fault else "ok", said)


def _coverage(house: Any) -> dict[str, Any]:
    given = coverage(
        house.packs, house.library, house.settings.routes, store=house.engine, lake=house.lake
    )
    left = ", ".join(given["unanswered"])
    said = f"not answered: {left}" if left else f"{given['exercised']} of them were put to use"
    value = f"{given['answered']} of {given['total']}"
    return _line("Requirements answered", value, "warn" if left else "ok", said)


def _documented(connection: sa.Connection) -> dict[str, Any]:
    wanted = sa.select(incidents.c.fields).where(
        incidents.c.state == "open", incidents.c.playbook != ""
    )
    given = list(connection.execute(wanted).scalars())
    whole = sum(all(fields.get(name) for name in FIELDS) for fields in given)
    state = "ok" if whole == len(given) else "warn"
    said = "open incidents with a playbook whose documentation is complete"
    return _line("Incident documentation", f"{whole} of {len(given)}", state, said)


def _waiting(connection: sa.Connection, now: datetime) -> dict[str, Any]:
    for_people = (
        sa.select(sa.func.count())
        .select_from(run_steps.join(runs))
        .where(
            runs.c.state == "running",
            run_steps.c.state.in_(["approval", "manual"]),
            run_steps.c.due_at < now,
        )
    )
    count = int(connection.execute(for_people).scalar_one())
    said = "playbook steps that are due and wait for a person"
    return _line("Steps that wait for people", f"{count}", "bad" if count else "ok", said)


def _untold(connection: sa.Connection) -> dict[str, Any]:
    dead = sa.select(sa.func.count()).where(outbox.c.state == "dead")
    count = int(connection.execute(dead).scalar_one())
    said = "messages that no channel took"
    return _line("Undelivered messages", f"{count}", "bad" if count else "ok", said)


def _judged(connection: sa.Connection) -> dict[str, Any]:
    over = sa.select(sa.func.count()).where(alerts.c.state == "resolved")
    total = int(connection.execute(over).scalar_one())
    judged = int(connection.execute(over.where(alerts.c.verdict != "")).scalar_one())
    state = "ok" if judged * 2 >= total else "warn"
    said = "resolved alerts that somebody has judged; models learn from it"
    return _line("Alerts judged", f"{judged} of {total}", state, said)


def _silenced(connection: sa.Connection, now: datetime) -> dict[str, Any]:
    force = sa.select(sa.func.count()).where(silences.c.starts_at <= now, silences.c.ends_at > now)
    count = int(connection.execute(force).scalar_one())
    return _line("Silences in force", f"{count}", "warn" if count else "ok", "each has an end")


def _line(name: str, value: str, state: str, said: str) -> dict[str, Any]:
    return {"name": name, "value": value, "state": state, "said": said}
