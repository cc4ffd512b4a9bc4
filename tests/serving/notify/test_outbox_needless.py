"""The outbox: what nobody waits for is not sent, and says why; ends follow beginnings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from serving.alerts.acts import close_incident
from serving.notify.channel import Delivery
from serving.notify.outbox import Outbox, Sent
from serving.store.tables import incidents, silences
from tests.serving.alerts.alerting import Bench
from tests.serving.notify.listening import HIGH, SENT, Listed, do, fire, on, put, rows
from tests.serving.notify.telling import notice


def test_a_page_that_failed_is_not_sent_any_more_once_somebody_has_it(bench: Bench) -> None:
    answers = [Delivery("retry", "503")]
    phone = Listed("sms", lambda notice: answers.pop() if answers else SENT)
    others = [Listed(name) for name in HIGH if name != "sms"]
    box = on(bench, phone, *others)
    alert = fire(bench)
    box.tick(now=bench.now)
    do(bench, alert, "acknowledge")
    for minutes in range(5):
        box.tick(now=bench.now + timedelta(minutes=minutes))
    assert [got.action for got in phone.got] == ["trigger", "acknowledge"]
    left = {
        row["channel"]: row for row in rows(bench.engine).values() if row["action"] == "trigger"
    }
    assert {left[name]["state"] for name in ("pagerduty", "chat")} == {"sent"}
    for name in ("sms", "email", "ticket", "status_page"):
        assert (left[name]["state"], left[name]["error"]) == ("cancelled", "acknowledged by then")


def test_what_was_answered_wakes_nobody_when_it_gets_worse_but_the_worse_does(
    bench: Bench,
) -> None:
    phone = Listed("sms", lambda notice: Delivery("retry", "503"))
    box = on(bench, phone, *(Listed(name) for name in HIGH if name != "sms"))
    alert = fire(bench)
    box.tick(now=bench.now)
    do(bench, alert, "acknowledge")
    bench.minute({"a": 97.0})
    bench.minute({"a": 97.0})
    phone.answer = lambda notice: SENT
    for minutes in range(5):
        box.tick(now=bench.now + timedelta(minutes=minutes))
    told = [got.severity for got in phone.got if got.action == "trigger"]
    assert told == ["high", "critical"]
    found = [row for row in rows(bench.engine).values() if row["channel"] == "sms"]
    left = {row["payload"]["severity"]: row for row in found if row["action"] == "trigger"}
    assert (left["high"]["state"], left["high"]["error"]) == ("cancelled", "told anew since")
    assert left["critical"]["state"] == "sent"


def test_what_is_always_told_is_told_though_somebody_has_it(bench: Bench) -> None:
    alert = fire(bench)
    do(bench, alert, "acknowledge")
    (incident,) = bench.rows(incidents)
    record = notice(incident=incident["id"], dedup_key="kept", channel="ticket")
    put(bench.engine, record, now=bench.now)
    ticket = Listed("ticket")
    on(bench, ticket).tick(now=bench.now)
    assert [got.dedup_key for got in ticket.got] == ["kept"]


def test_an_incident_that_is_over_is_told_only_where_it_was_told(bench: Bench) -> None:
    channels = [Listed(name) for name in HIGH]
    box = on(bench, *channels)
    fire(bench)
    box.tick(now=bench.now)
    (incident,) = bench.rows(incidents)
    with bench.engine.begin() as connection:
        close_incident(connection, incident["id"], who="ann", now=bench.now)
    for minutes in range(5):
        box.tick(now=bench.now + timedelta(minutes=minutes))
    got = {one.name: [told.action for told in one.got] for one in channels}
    first = ["trigger", "acknowledge", "resolve"]
    assert got == {name: first if name in HIGH[:3] else [] for name in HIGH}


def test_the_end_is_not_told_while_the_beginning_is_under_way(bench: Bench) -> None:
    other = Outbox(bench.engine, [Listed("pagerduty")], who="other")
    fire(bench)
    claimed, _ = other._claim(bench.now)
    (incident,) = bench.rows(incidents)
    with bench.engine.begin() as connection:
        close_incident(connection, incident["id"], who="ann", now=bench.now)
    pager = Listed("pagerduty")
    box = on(bench, pager, *(Listed(name) for name in HIGH[1:]))
    box.tick(now=bench.now)
    assert not pager.got
    for row in claimed:
        other._settle(row, SENT, Sent(), bench.now)
    box.tick(now=bench.now)
    box.tick(now=bench.now)
    assert [got.action for got in pager.got] == ["acknowledge", "resolve"]


@pytest.mark.parametrize("how", ["snooze", "silence", "flap"])
def test_who_asked_for_quiet_is_not_told_by_a_later_wave(bench: Bench, how: str) -> None:
    channels = [Listed(name) for name in HIGH]
    box = on(bench, *channels)
    alert = fire(bench)
    box.tick(now=bench.now)
    if how == "snooze":
        do(bench, alert, "snooze", until=bench.now + timedelta(hours=1))
    elif how == "silence":
        with bench.engine.begin() as connection:
            connection.execute(
                silences.insert().values(
                    id="s1",
                    kind="silence",
                    matchers=[{"label": "entity", "operator": "=", "value": "a"}],
                    starts_at=bench.now,
                    ends_at=bench.now + timedelta(hours=1),
                    created_by="ann",
                    comment="known",
                )
            )
    else:
        for _ in range(3):
            bench.minute({"a": 10.0})
    assert box.tick(now=bench.now + timedelta(minutes=2)).cancelled == 3
    reasons = {row["error"] for row in rows(bench.engine).values() if row["state"] == "cancelled"}
    assert len(reasons) == 1
    assert {"snooze": "snoozed", "silence": "silence s1", "flap": "over"}[how] in reasons.pop()
