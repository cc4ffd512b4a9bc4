"""The alert engine: what opens, climbs, joins, is told once, and ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.risk import RiskInput
from serving.alerts.acts import act, close_incident
from serving.alerts.lifecycle import AlertError
from serving.store.tables import alerts, incidents, outbox
from tests.serving.alerts.alerting import Bench, window


def test_a_limit_broken_once_is_pending_and_tells_nobody(bench: Bench) -> None:
    bench.minute({"a": 80.0})
    (alert,) = bench.rows(alerts)
    assert (alert["state"], alert["fired_at"], alert["incident"]) == ("pending", None, None)
    assert not bench.rows(outbox)


def test_a_limit_broken_for_long_enough_fires_and_is_told_by_its_route(bench: Bench) -> None:
    bench.minute({"a": 86.0})
    bench.minute({"a": 86.5})
    (alert,) = bench.rows(alerts)
    assert (alert["state"], alert["severity"]) == ("firing", "high")
    assert alert["playbook"] == "performance_degradation"
    told = {row["channel"]: (row["due_at"] - bench.now).seconds for row in bench.rows(outbox)}
    assert told == {
        "pagerduty": 0,
        "sms": 0,
        "chat": 0,
        "email": 120,
        "ticket": 120,
        "status_page": 120,
    }


def test_a_climbing_metric_is_one_alert_told_again_only_when_worse(bench: Bench) -> None:
    for value in (80, 80, 80, 88, 88, 88, 97, 97):
        bench.minute({"a": value})
    (alert,) = bench.rows(alerts)
    assert (alert["severity"], alert["windows"]) == ("critical", 8)
    keys = [row["dedup_key"].split(":")[1] for row in bench.rows(outbox)]
    assert sorted(set(keys)) == ["critical", "high", "medium"]
    assert len(keys) == 3 + 6 + 6
    assert len(bench.rows(incidents)) == 1


def test_an_alert_ends_when_its_rung_is_left_and_unknown_values_say_nothing(bench: Bench) -> None:
    for value in (80, 80, None, None, 50, 50):
        bench.minute({"a": value})
    (alert,) = bench.rows(alerts)
    assert alert["state"] == "firing"
    bench.minute({"a": 50})
    (alert,) = bench.rows(alerts)
    assert (alert["state"], alert["resolved_at"]) == ("resolved", bench.now)


def test_what_fires_again_within_ten_minutes_is_the_same_alert(bench: Bench) -> None:
    for value in (80, 80, 50, 50, 50, 80, 80):
        bench.minute({"a": value})
    (alert,) = bench.rows(alerts)
    assert (alert["state"], alert["resolved_at"]) == ("firing", None)
    assert len(bench.rows(outbox)) == 3


def test_a_rare_window_is_an_alert_of_its_own_and_evidence_beside_a_rule(bench: Bench) -> None:
    bench.minute({"a": 10, "b": 80}, rare={"a": 0.01})
    bench.minute({"a": 10, "b": 80}, rare={"b": 0.5})
    rare, rule = sorted(bench.rows(alerts), key=lambda row: row["entity"])
    assert (rare["family"], rare["severity"], rare["per_day"]) == ("rare", "high", 0.01)
    assert (rule["family"], rule["per_day"]) == ("host.memory", 0.5)
    assert "once a day" not in rare["why"]
    assert not rare["evidence"]["exact"]


def test_a_grave_risk_is_told_with_what_the_alert_does_not_say_itself(bench: Bench) -> None:
    bench.minute({"a": 10})
    for source, many in (("rule:host.memory", 32), ("rule:other", 8)):
        bench.alerts.risk.add("a", [RiskInput(100.0, bench.now, source, f"of {source}")] * many)
    bench.minute({"a": 90})
    bench.minute({"a": 90})
    (alert,) = bench.rows(alerts)
    assert alert["why"].endswith(" of 100 (also: of rule:other)")


def test_an_acknowledged_incident_pages_no_more_until_it_gets_worse(bench: Bench) -> None:
    for value in (80, 80):
        bench.minute({"a": value})
    (alert,) = bench.rows(alerts)
    with bench.engine.begin() as connection:
        act(connection, [alert["id"]], "acknowledge", who="ann", now=bench.now)
    before = len(bench.rows(outbox))
    bench.tick(timedelta(hours=1))
    bench.minute({"a": 80})
    assert len(bench.rows(outbox)) == before
    bench.minute({"a": 90})
    bench.minute({"a": 90})
    (alert,) = bench.rows(alerts)
    assert alert["state"] == "firing"
    assert len(bench.rows(outbox)) == before + 6


def test_the_unanswered_is_told_again_at_its_interval_and_only_then(bench: Bench) -> None:
    for value in (90, 90):
        bench.minute({"a": value})
    before = len(bench.rows(outbox))
    bench.tick(timedelta(minutes=14))
    assert len(bench.rows(outbox)) == before
    bench.tick(timedelta(minutes=1))
    bench.tick()
    assert len(bench.rows(outbox)) == before + 6


def test_a_quiet_incident_without_a_playbook_closes_and_takes_no_new_alerts(bench: Bench) -> None:
    for value in (80, 80, 50, 50, 50):
        bench.minute({"a": value})
    bench.tick(timedelta(minutes=11))
    (incident,) = bench.rows(incidents)
    assert incident["state"] == "resolved"
    for value in (80, 80):
        bench.minute({"a": value})
    assert {row["state"] for row in bench.rows(incidents)} == {"open", "resolved"}


def test_an_incident_that_lacks_documentation_cannot_be_closed(bench: Bench) -> None:
    bench.alerts._start = lambda connection, incident, alert, now: None
    for value in (90, 90):
        bench.minute({"a": value})
    (incident,) = bench.rows(incidents)
    with bench.engine.begin() as connection, pytest.raises(AlertError, match="is empty"):
        close_incident(connection, incident["id"], who="ann", now=bench.now)


def test_a_restart_at_any_minute_changes_nothing(bench: Bench, store_again: Bench) -> None:
    for value in (80, 88, 88, None, 97, 50, 50, 50, 80, 80):
        bench.minute({"a": value, "b": 80})
        store_again.restart()
        store_again.minute({"a": value, "b": 80})
    for table in (alerts, incidents, outbox):
        assert store_again.rows(table) == bench.rows(table)


def test_a_step_that_is_done_twice_is_done_once(bench: Bench) -> None:
    bench.minute({"a": 80})
    bench.minute({"a": 80})
    before = {table: bench.rows(table) for table in (incidents, outbox)}
    bench.now -= timedelta(minutes=1)
    bench.minute({"a": 80})
    assert {table: bench.rows(table) for table in (incidents, outbox)} == before


def test_a_transaction_that_fails_leaves_nothing_behind_in_memory_either(
    bench: Bench, store_again: Bench
) -> None:
    for value in (80, 80, 50, 88, 88):
        bench.minute({"a": value})
        with store_again.engine.connect() as connection:
            store_again.alerts.take(connection, *window(store_again, value), now=store_again.now)
            connection.rollback()
        store_again.minute({"a": value})
    for table in (alerts, incidents, outbox):
        assert store_again.rows(table) == bench.rows(table)


def test_the_wake_of_a_breach_does_not_change_its_words(bench: Bench) -> None:
    for value, rate in ((80, 0.9), (80, 0.9), (40, 0.01)):
        bench.minute({"a": value}, rare={"a": rate})
    (alert,) = [row for row in bench.rows(alerts) if row["family"] == "host.memory"]
    assert "uses 80 %" in alert["why"]
    assert alert["per_day"] == 0.01


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("minute", range(7))
def test_a_commit_that_fails_counts_as_what_the_database_made_of_it(
    bench: Bench, store_again: Bench, monkeypatch: pytest.MonkeyPatch, minute: int, done: bool
) -> None:
    commit = bench.engine.dialect.do_commit

    def fail(connection: Any) -> None:
        commit(connection) if done else connection.rollback()
        raise OSError("the database went away")

    for number, value in enumerate((80, 80, 88, 10, 10, 10, 80)):
        store_again.minute({"a": value})
        if number == minute:
            with monkeypatch.context() as patch:
                patch.setattr(bench.engine.dialect, "do_commit", fail)
                with pytest.raises(OSError, match="went away"):
                    bench.minute({"a": value})
            if done:
                continue
            bench.now -= timedelta(minutes=1)
        bench.minute({"a": value})
    shown = ("id", "state", "severity", "windows", "opened_at", "last_seen", "resolved_at")
    assert [{name: row[name] for name in shown} for row in bench.rows(alerts)] == [
        {name: row[name] for name in shown} for row in store_again.rows(alerts)
    ]
