"""What is told as it fires, and what counts in the end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline.simulate.platform import Platform
from serving.alerts.record import begin_incident
from serving.demo_cast import Act, Cast, Stage
from serving.demo_told import result, told_of
from serving.rules.correlate import CORRELATION
from serving.store.tables import alerts, incidents, runs

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
Row = dict[str, Any]


@pytest.fixture
def cast() -> Cast:
    cast = Cast(Platform(0, BEGIN), BEGIN, ())
    for kind, entity in (("attack", "A"), ("decoy", "B")):
        stage = Stage("only", "trades.symbol_1m", entity, BEGIN, BEGIN + 10 * MINUTE)
        cast.acts.append(Act(7, "Pump", kind, ("trades",), (stage,)))
    return cast


def alert(entity: str, minute: int, **more: Any) -> Row:
    """A high alert, which was told."""
    at = BEGIN + minute * MINUTE
    row: Row = {
        "id": f"{entity}{minute}", "fingerprint": entity, "incident": f"of {entity}",
        "view": "trades.symbol_1m", "entity": entity, "family": "f", "severity": "high",
        "state": "firing", "title": "t", "why": "w", "first_step": "s", "playbook": "",
        "model_version": "", "start": at - MINUTE, "opened_at": at, "last_seen": at,
        "fired_at": at, "notified_at": at, "updated_at": at, "windows": 1, "risk": 1.0,
        "suppressed": "", "verdict": "", "verdict_by": "", "acknowledged_by": "",
        "per_day": None, "arms": {}, "breaches": [], "reasons": [], "labels": {}, "evidence": {},
    }  # fmt: skip
    return row | more


def stored(store: sa.Engine, *rows: Row) -> sa.Engine:
    with store.begin() as connection:
        for name in {row["incident"] for row in rows}:
            first = next(row for row in rows if row["incident"] == name)
            incident = begin_incident(name, first, BEGIN, BEGIN) | {"id": name}
            connection.execute(incidents.insert().values(**incident))
        connection.execute(alerts.insert(), list(rows))
    return store


def test_found_and_missed_paged_and_quiet(store: sa.Engine, cast: Cast) -> None:
    told = stored(
        store,
        alert("A", 3),
        alert("A", 5, severity="critical"),
        alert("C", 5, severity="medium"),
        alert("C", -30, incident="earlier"),
    )
    with told.begin() as connection:
        connection.execute(
            runs.insert().values(
                id="r", playbook="market_abuse", incident="of A", state="running", mode="live",
                started_at=BEGIN, exact=True, parameters={}, definition={},
            )
        )  # fmt: skip
    given = result(told, cast, now=BEGIN + 20 * MINUTE)
    attack, twin = given["played"]
    assert (attack["found"], attack["stage"], attack["delay"]) == (True, "only", 180.0)
    assert (attack["alerts"], attack["pages"], attack["playbooks"]) == (2, 1, ["market_abuse"])
    assert (twin["found"], twin["alerts"], twin["pages"], twin["delay"]) == (False, 0, 0, None)
    assert given["others"] == {"alerts": 1, "pages": 0}
    assert given["before"] == {"alerts": 1}


@pytest.mark.parametrize(
    "more", [{"severity": "low"}, {"fired_at": None, "state": "pending"}], ids=["mild", "pending"]
)
def test_what_was_not_told_finds_nothing(store: sa.Engine, cast: Cast, more: Row) -> None:
    given = result(stored(store, alert("A", 3, **more)), cast, now=BEGIN + 20 * MINUTE)
    assert not any(row["found"] for row in given["played"])


def test_a_page_that_was_muted_is_none(store: sa.Engine, cast: Cast) -> None:
    given = result(stored(store, alert("B", 3, notified_at=None)), cast, now=BEGIN + 20 * MINUTE)
    twin = given["played"][1]
    assert (twin["alerts"], twin["pages"]) == (1, 0)


def test_only_news_is_told_and_steps_go_to_their_incident(cast: Cast) -> None:
    definition: Row = {"phases": [{"steps": [{"id": "s", "title": "Look"}]}]}
    step: Row = {"incident": "of A", "step": "s", "state": "done", "playbook": "p"}
    steps: list[Row] = [
        step | {"definition": definition},
        step | {"definition": definition, "incident": "x"},
    ]
    told = told_of([alert("A", 1), alert("A", 2), alert("C", 3)], {"A2", "C3"}, steps, cast)
    assert [one.alert and one.alert["id"] for one in told] == ["A2", "C3", None]
    assert [[s["title"] for s in one.steps] for one in told] == [["Look"], [], ["Look"]]
    assert told[0].truth == "S7 attack (Pump): only, 120 s after it began"
    assert told[1].truth.startswith("nobody who plays, though S7 attack")
    assert told[0].json["alert"]["fired_at"] == "2026-03-02T09:02:00+00:00"


def test_a_correlation_belongs_to_what_it_joined(cast: Cast) -> None:
    joined = alert("everywhere", 4, incident="of A", view=CORRELATION)
    beside = alert("D", 4, incident="of A")
    every = [alert("A", 1), joined, beside]
    correlated, other = told_of(every, {joined["id"], beside["id"]}, [], cast)
    assert correlated.truth.startswith("S7 attack")
    assert other.truth.startswith("nobody")


def test_of_several_in_an_incident_a_correlation_belongs_to_the_nearest(cast: Cast) -> None:
    joined = alert("everywhere", 7, incident="of A", view=CORRELATION)
    every = [alert("B", 1, incident="of A"), alert("A", 6), joined]
    (correlated,) = told_of(every, {joined["id"]}, [], cast)
    assert correlated.truth.startswith("S7 attack")
