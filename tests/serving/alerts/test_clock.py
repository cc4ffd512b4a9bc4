"""What time alone does to alerts, incidents, silences and what is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serving.alerts.clock import KEPT
from serving.alerts.ledger import STALE
from serving.store.tables import alerts, changes, incidents, outbox, silences
from tests.serving.alerts.alerting import Bench

MINUTE = timedelta(minutes=1)


def _silence(bench: Bench, ends: timedelta, **more: Any) -> None:
    row = {
        "id": "s1",
        "kind": "silence",
        "matchers": [{"label": "entity", "operator": "=", "value": "a"}],
        "starts_at": bench.now,
        "ends_at": bench.now + ends,
        "created_by": "ann",
        "comment": "known",
        **more,
    }
    with bench.engine.begin() as connection:
        connection.execute(silences.insert().values(row))


def test_an_alert_whose_entity_is_gone_ends_with_time_alone(bench: Bench) -> None:
    for _ in range(2):
        bench.minute({"a": 80})
    bench.tick(STALE - MINUTE)
    assert [row["state"] for row in bench.rows(alerts)] == ["firing"]
    bench.tick(2 * MINUTE)
    assert [row["state"] for row in bench.rows(alerts)] == ["resolved"]


def test_who_made_a_silence_is_warned_once_before_it_ends(bench: Bench) -> None:
    _silence(bench, timedelta(hours=1))
    bench.tick(timedelta(minutes=44))
    assert bench.rows(outbox) == []
    for _ in range(3):
        bench.tick(MINUTE)
    (notice,) = bench.rows(outbox)
    assert notice["payload"]["detail"] == {"audience": "ann"}
    assert notice["action"] == "notice"


def test_what_fired_in_a_silence_is_told_when_the_silence_is_over(bench: Bench) -> None:
    _silence(bench, timedelta(minutes=5), warned_at=bench.now)
    for _ in range(2):
        bench.minute({"a": 90, "b": 90})
    assert {row["payload"]["detail"]["entity"] for row in bench.rows(outbox)} == {"b"}
    muted = {row["entity"]: row["suppressed"] for row in bench.rows(alerts)}
    assert muted["a"].startswith("silence s1 until")
    bench.tick(4 * MINUTE)
    assert {row["payload"]["detail"]["entity"] for row in bench.rows(outbox)} == {"a", "b"}
    assert {row["suppressed"] for row in bench.rows(alerts)} == {""}


def test_what_is_silenced_after_it_was_told_is_not_told_again(bench: Bench) -> None:
    for _ in range(2):
        bench.minute({"a": 90})
    before = len(bench.rows(outbox))
    _silence(bench, timedelta(hours=2), warned_at=bench.now)
    bench.tick(timedelta(minutes=20))
    assert len(bench.rows(outbox)) == before
    bench.tick(timedelta(hours=2))
    assert len(bench.rows(outbox)) > before


def test_only_an_incident_of_which_everything_is_over_is_closed(bench: Bench) -> None:
    for value in (80, 80, 50, 50, 50):
        bench.minute({"a": value, "b": 80})
    bench.tick(timedelta(minutes=11))
    states = {row["entities"][0]: row["state"] for row in bench.rows(incidents)}
    assert states == {"a": "resolved", "b": "open"}


def test_an_incident_with_a_playbook_is_closed_by_people_only(bench: Bench) -> None:
    bench.alerts._start = lambda connection, incident, alert, now: None
    for value in (90, 90, 50, 50, 50):
        bench.minute({"a": value})
    bench.tick(timedelta(hours=3))
    assert [row["state"] for row in bench.rows(incidents)] == ["open"]


def test_changes_are_kept_for_a_day(bench: Bench) -> None:
    bench.minute({"a": 80})
    assert bench.rows(changes)
    bench.tick(KEPT)
    assert bench.rows(changes)
    bench.tick(2 * MINUTE)
    assert [row for row in bench.rows(changes) if row["at"] < bench.now - KEPT] == []
