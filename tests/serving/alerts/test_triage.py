"""Triage hears verdicts, keeps what it learned, and loses nothing that the audit chain has."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from serving.alerts.acts import act
from serving.alerts.triage import evidence_of, learn, rank, triage_of
from serving.store.audit import verify
from serving.store.tables import alerts, memory
from tests.serving.alerts.alerting import Bench

GRAVE, MILD = 99.0, 80.0
HOSTS = {f"{word}-{i}": value for word, value in (("g", GRAVE), ("m", MILD)) for i in range(11)}


@pytest.fixture
def told(bench: Bench) -> Bench:
    """Grave alerts and mild ones."""
    for _ in range(2):
        bench.minute(HOSTS)
    return bench


def _say(bench: Bench, count: int, *, real: str = "g") -> None:
    """Somebody says of so many of each kind whether they were real."""
    rows = bench.rows(alerts)
    with bench.engine.begin() as connection:
        for row in rows:
            if int(row["entity"][2:]) < count:
                verdict = "real" if row["entity"].startswith(real) else "noise"
                detail = {"verdict": verdict}
                act(connection, [row["id"]], "verdict", who="ann", now=bench.now, detail=detail)


def _priorities(bench: Bench) -> dict[str, Any]:
    return {row["entity"]: row["priority"] for row in bench.rows(alerts)}


def _state(bench: Bench) -> Any:
    return [row["state"] for row in bench.rows(memory) if row["part"] == "triage"]


def test_it_abstains_until_it_has_heard_enough_and_then_ranks_what_is_open(told: Bench) -> None:
    _say(told, 9)
    told.tick()
    assert set(_priorities(told).values()) == {None}
    _say(told, 10)
    told.tick()
    found = _priorities(told)
    assert found["g-10"] > 0.5 > found["m-10"]
    assert len(found) == len(HOSTS)


def test_what_is_said_the_other_way_round_ranks_the_other_way_round(told: Bench) -> None:
    _say(told, 10, real="m")
    told.tick()
    found = _priorities(told)
    assert found["m-10"] > 0.5 > found["g-10"]


@pytest.mark.parametrize("loss", [None, {}, {"number": 1, "version": 1, "triage": {"least": 1}}])
def test_what_is_lost_is_learned_again_from_the_audit_chain_to_the_last_bit(
    told: Bench, loss: Any
) -> None:
    _say(told, 10)
    (before,) = _state(told)
    mine = memory.c.part == "triage"
    with told.engine.begin() as connection:
        if loss is None:
            connection.execute(memory.delete().where(mine))
        else:
            connection.execute(memory.update().where(mine).values(state=loss))
        assert not triage_of(connection).speaks
        learn(connection)
        assert verify(connection) is None
    assert _state(told) == [before]


def test_a_verdict_stands_or_falls_with_what_is_learned_from_it(told: Bench) -> None:
    (row, *_) = told.rows(alerts)
    with told.engine.connect() as connection:
        detail = {"verdict": "real"}
        act(connection, [row["id"]], "verdict", who="ann", now=told.now, detail=detail)
        assert triage_of(connection).verdicts == {"real": 1}
        connection.rollback()
    assert _state(told) == []
    with told.engine.begin() as connection:
        learn(connection)
        assert triage_of(connection).verdicts.total() == 0


def test_ranking_twice_writes_once_and_verdicts_count_once(told: Bench) -> None:
    _say(told, 10)
    statements: list[str] = []

    def seen(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("UPDATE"):
            statements.append(statement)

    sa.event.listen(told.engine, "before_cursor_execute", seen)
    with told.engine.begin() as connection:
        rank(connection)
        rank(connection)
        learn(connection)
        assert triage_of(connection).verdicts == {"real": 10, "noise": 10}
    assert len(statements) == 1


def test_what_triage_is_told_is_what_people_see(told: Bench) -> None:
    (row,) = (row for row in told.rows(alerts) if row["entity"] == "g-0")
    assert evidence_of(row) == {
        "view": "system.host_1m",
        "family": "host.memory",
        "entity": "g-0",
        "arm": "rule:host.memory.critical",
        "severity": 4.0,
        "risk": row["risk"],
        "rarity": 0.0,
    }
