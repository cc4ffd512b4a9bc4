"""What people do: all or nothing, on record, and told to whoever was told before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from serving.alerts.acts import Act, act, close_incident, document
from serving.alerts.lifecycle import AlertError
from serving.store.audit import verify
from serving.store.tables import alert_notes, alerts, audit, incidents, outbox
from tests.serving.alerts.alerting import Bench


def _fire(bench: Bench, *hosts: str, value: float = 90) -> list[str]:
    for _ in range(2):
        bench.minute(dict.fromkeys(hosts, value))
    return [row["id"] for row in sorted(bench.rows(alerts), key=lambda row: row["entity"])]


def _act(bench: Bench, ids: list[str], what: Act, **detail: Any) -> list[dict[str, Any]]:
    with bench.engine.begin() as connection:
        return act(connection, ids, what, who="ann", now=bench.now, detail=detail)


def _audited(bench: Bench) -> list[str]:
    with bench.engine.connect() as connection:
        assert verify(connection) is None
    return [row["what"] for row in bench.rows(audit)]


def test_several_alerts_are_acted_on_together_or_not_at_all(bench: Bench) -> None:
    ids = _fire(bench, "a", "b")
    with pytest.raises(AlertError, match="no alert gone"):
        _act(bench, [*ids, "gone"], "acknowledge")
    _act(bench, ids[:1], "resolve")
    with pytest.raises(AlertError, match="resolved cannot be told to acknowledge"):
        _act(bench, ids, "acknowledge")
    assert [row["state"] for row in bench.rows(alerts) if row["id"] == ids[1]] == ["firing"]
    assert _audited(bench) == ["alert.resolve"]
    assert [row["id"] for row in _act(bench, ids[1:], "acknowledge")] == ids[1:]


def test_channels_that_were_told_hear_when_nobody_is_needed_any_more(bench: Bench) -> None:
    ids = _fire(bench, "a", "b")
    with bench.engine.begin() as connection:
        sent = outbox.c.channel == "pagerduty"
        connection.execute(outbox.update().where(sent).values(state="sent"))
    _act(bench, ids[:1], "acknowledge")
    told = [row["incident"] for row in bench.rows(outbox) if row["action"] == "acknowledge"]
    assert told == [row["incident"] for row in bench.rows(alerts) if row["id"] == ids[0]]


def test_a_snooze_needs_a_time_to_come_and_keeps_people_quiet_until_then(bench: Bench) -> None:
    (name,) = _fire(bench, "a", value=80)
    with pytest.raises(AlertError):
        _act(bench, [name], "snooze", until=bench.now)
    _act(bench, [name], "snooze", until=bench.now + timedelta(hours=1))
    before = len(bench.rows(outbox))
    for _ in range(2):
        bench.minute({"a": 90})
    (alert,) = bench.rows(alerts)
    assert alert["suppressed"].startswith("snoozed until")
    assert len(bench.rows(outbox)) == before
    assert _audited(bench) == ["alert.snooze"]


def test_a_verdict_is_one_of_three_words(bench: Bench) -> None:
    ids = _fire(bench, "a")
    with pytest.raises(AlertError, match="verdict is 'maybe'"):
        _act(bench, ids, "verdict", verdict="maybe")
    (alert,) = _act(bench, ids, "verdict", verdict="noise")
    assert (alert["verdict"], alert["verdict_by"], alert["state"]) == ("noise", "ann", "firing")


def test_a_note_stays_with_its_alert_and_incident(bench: Bench) -> None:
    ids = _fire(bench, "a")
    _act(bench, ids, "note", text="a leak")
    note = [row for row in bench.rows(alert_notes) if row["what"] == "note"]
    (incident,) = bench.rows(incidents)
    assert [(row["alert"], row["incident"], row["who"]) for row in note] == [
        (ids[0], incident["id"], "ann")
    ]


def test_an_acknowledgement_can_be_taken_back(bench: Bench) -> None:
    ids = _fire(bench, "a")
    _act(bench, ids, "acknowledge")
    (alert,) = _act(bench, ids, "unacknowledge")
    assert (alert["state"], alert["acknowledged_by"]) == ("firing", "")


def test_closing_an_incident_ends_what_fires_in_it_and_what_waits_to_be_told(bench: Bench) -> None:
    _fire(bench, "a")
    (incident,) = bench.rows(incidents)
    with bench.engine.begin() as connection:
        close_incident(connection, incident["id"], who="ann", now=bench.now)
    assert {row["state"] for row in bench.rows(alerts)} == {"resolved"}
    assert {row["state"] for row in bench.rows(outbox)} == {"cancelled"}
    with bench.engine.begin() as connection, pytest.raises(AlertError, match="is resolved"):
        close_incident(connection, incident["id"], who="ann", now=bench.now)
    with bench.engine.begin() as connection, pytest.raises(AlertError, match="no incident gone"):
        close_incident(connection, "gone", who="ann", now=bench.now)


def test_documentation_is_added_field_by_field(bench: Bench) -> None:
    _fire(bench, "a")
    (incident,) = bench.rows(incidents)
    for fields in ({"timeline": "noon"}, {"owner": "bob", "resolution": "restarted"}):
        with bench.engine.begin() as connection:
            row = document(connection, incident["id"], fields, who="ann", now=bench.now)
    assert row["owner"] == "bob"
    assert row["fields"] == {"timeline": "noon", "resolution": "restarted"}
    assert _audited(bench) == ["incident.document"] * 2


def test_people_and_the_stream_lock_in_one_order(bench: Bench) -> None:
    if bench.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    _fire(bench, "a")
    (incident,) = bench.rows(incidents)
    with bench.engine.connect() as other, bench.engine.connect() as mine:
        other.execute(sa.select(alerts).with_for_update())
        mine.execute(sa.text("SET LOCAL lock_timeout = '50ms'"))
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            close_incident(mine, incident["id"], who="ann", now=bench.now)
        # Had the incident been locked first, this would wait for who waits for us.
        other.execute(sa.select(incidents).with_for_update(nowait=True))
