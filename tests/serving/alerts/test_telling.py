"""What is told of an alert: enough to act on, to each channel of its route, at its time."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from serving.alerts.routes import DEFAULT_ROUTES, Route, Wave
from serving.alerts.telling import ended, notices, told
from serving.store.tables import alerts, incidents, outbox
from tests.serving.alerts.alerting import Bench


def _rows(bench: Bench) -> tuple[dict[str, object], dict[str, object]]:
    bench.minute({"a": 86.0})
    bench.minute({"a": 86.0}, rare={"a": 0.02})
    return bench.rows(incidents)[0], bench.rows(alerts)[0]


def test_a_notice_says_what_where_how_bad_how_rare_since_when_and_what_to_do(bench: Bench) -> None:
    incident, alert = _rows(bench)
    found = notices(DEFAULT_ROUTES, incident, alert, now=bench.now)
    assert {one.dedup_key for one in found} == {row["dedup_key"] for row in bench.rows(outbox)}
    for one in found:
        assert (one.severity, one.title) == ("high", "Memory: a")
        assert "uses 86 %" in one.why
        assert one.rarity == "once in 50 days"
        assert "rule:host.memory.high" in one.arms
        assert one.since == alert["opened_at"]
        assert one.first_step
        assert one.detail["entity"] == "a"
        assert one.detail["again"] == 0
        assert one.unless_acknowledged


def test_an_alert_that_no_route_takes_is_told_nobody(bench: Bench) -> None:
    incident, alert = _rows(bench)
    route = Route(name="worst", at_least="critical", waves=[Wave(channels=["chat"])])
    assert notices([route], incident, alert, now=bench.now) == []


def test_what_is_told_again_is_another_message_and_says_so(bench: Bench) -> None:
    incident, alert = _rows(bench)
    first = notices(DEFAULT_ROUTES, incident, alert, now=bench.now)
    again = notices(DEFAULT_ROUTES, incident, alert, now=bench.now, again=2)
    assert not {one.dedup_key for one in first} & {one.dedup_key for one in again}
    assert {one.detail["again"] for one in again} == {2}


def test_only_channels_that_may_have_been_told_are_told_the_end(bench: Bench) -> None:
    incident, _ = _rows(bench)
    states = {
        "pagerduty": {"state": "sent", "attempts": 1},
        # A process died while it sent this: it may have arrived.
        "sms": {"attempts": 1, "leased_until": bench.now + timedelta(minutes=1)},
        "chat": {"state": "cancelled", "attempts": 0},
    }
    with bench.engine.begin() as connection:
        for channel, values in states.items():
            mine = outbox.c.channel == channel
            connection.execute(sa.update(outbox).where(mine).values(**values))
        channels = told(connection, str(incident["id"]))
    assert channels == ["pagerduty", "sms"]
    over = ended(incident, channels, "resolve", "resolved by ann", now=bench.now)
    assert [(one.channel, one.action, one.why) for one in over] == [
        ("pagerduty", "resolve", "resolved by ann"),
        ("sms", "resolve", "resolved by ann"),
    ]
