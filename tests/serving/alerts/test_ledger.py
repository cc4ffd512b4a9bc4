"""The ledger: what a step adds up to, whatever else stands in the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from features.catalogue import VIEWS
from serving.alerts.ledger import HUSHED, QUIET, STALE, Ledger
from serving.alerts.lifecycle import Event
from serving.alerts.matchers import Matcher
from serving.alerts.muting import Inhibition
from serving.alerts.routes import DEFAULT_ROUTES, Route
from serving.rules.correlate import CORRELATION
from serving.severity import Severity
from serving.store.tables import alert_notes, alerts, changes, incidents, outbox, silences
from serving.verdict import RARE, Rarity, Verdict
from tests.serving.verdicts import NOON, verdict

HOST = VIEWS["system.host_1m"]
MINUTE = timedelta(minutes=1)


class Book:
    """A store and steps that are written to it."""

    def __init__(self, engine: sa.Engine, **options: Any) -> None:
        self.engine, self.options = engine, options

    def step(
        self,
        *verdicts: Verdict,
        now: datetime = NOON,
        newest: datetime | None = None,
        holds: bool = False,
        of: str = "a",
        group: str = "{entity}",
    ) -> None:
        routes: Sequence[Route] = self.options.get("routes", DEFAULT_ROUTES)
        inhibitions: Sequence[Inhibition] = self.options.get("inhibitions", ())

        def named(one: Verdict) -> str:
            return group.format(entity=one.entity)

        with self.engine.begin() as connection:
            start = self.options.get("start")
            ledger = Ledger(connection, routes, inhibitions, start, named, now=now)
            ledger.apply(verdicts, {})
            if newest is not None:
                row = {"entity": of, "start": newest - MINUTE, "end": newest}
                windows = pl.DataFrame([row], schema=dict(HOST.schema))
                ledger.clear(HOST, windows, lambda family, entity, at: holds)
            ledger.write()

    def wait(self, now: datetime) -> None:
        """What time alone ends."""
        with self.engine.begin() as connection:
            ledger = Ledger(connection, DEFAULT_ROUTES, (), None, lambda one: "g", now=now)
            ledger.end_silent()
            ledger.write()

    def why(self) -> list[str]:
        """Why alerts were over."""
        notes = self.rows(alert_notes)
        return [note["detail"].get("why", "") for note in notes if note["what"] == "resolved"]

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


@pytest.fixture
def book(store: sa.Engine) -> Book:
    return Book(store)


def test_nothing_is_written_before_it_is_told_to(store: sa.Engine) -> None:
    with store.begin() as connection:
        ledger = Ledger(connection, DEFAULT_ROUTES, (), None, lambda one: "g", now=NOON)
        ledger.apply([verdict()], {})
    assert Book(store).rows(alerts) == []


def test_alerts_of_one_group_are_one_incident_told_once_for_each_severity(book: Book) -> None:
    names = ["a", "b", "c"]
    book.step(*(verdict(entity=name) for name in names), group="platform")
    (incident,) = book.rows(incidents)
    assert incident["entities"] == names
    assert len(book.rows(outbox)) == 6
    told = [row["suppressed"] for row in book.rows(alerts)]
    assert [bool(why) for why in told] == [False, True, True]
    assert "was already told as high" in told[1]
    book.step(verdict(entity="d", severity=Severity.CRITICAL), group="platform")
    assert len(book.rows(outbox)) == 12
    assert len(book.rows(incidents)) == 1


def test_a_cause_mutes_its_symptoms_in_the_same_step_in_any_order(book: Book) -> None:
    cause, symptom = (Matcher(label="family", value=name) for name in ("cause", "symptom"))
    book.options["inhibitions"] = [Inhibition(source=[cause], target=[symptom])]
    book.step(verdict(entity="a", family="symptom"), verdict(entity="b", family="cause"))
    told = {row["payload"]["detail"]["entity"] for row in book.rows(outbox)}
    assert told == {"b"}


def test_what_no_route_takes_does_not_keep_others_from_being_told(book: Book) -> None:
    only_b = Route(
        name="b",
        match=[Matcher(label="entity", value="b")],
        waves=DEFAULT_ROUTES[0].waves,
    )
    book.options["routes"] = [only_b]
    book.step(verdict(entity="a"), group="one")
    (alert,) = book.rows(alerts)
    assert (alert["suppressed"], book.rows(outbox)) == ("no route takes it", [])
    book.step(verdict(entity="b"), group="one")
    assert {row["payload"]["detail"]["entity"] for row in book.rows(outbox)} == {"b"}


def test_a_rare_window_is_over_after_ten_quiet_minutes(book: Book) -> None:
    rare = verdict(family=RARE, rarity=Rarity(0.1, 1.0))
    book.step(rare)
    book.step(newest=rare.end + QUIET - MINUTE)
    assert [row["state"] for row in book.rows(alerts)] == ["firing"]
    book.step(newest=rare.end + QUIET)
    assert [row["state"] for row in book.rows(alerts)] == ["resolved"]


def test_what_rules_say_ends_when_no_rung_holds(book: Book) -> None:
    book.step(verdict())
    book.step(newest=NOON + 2 * MINUTE, holds=True)
    assert [row["state"] for row in book.rows(alerts)] == ["firing"]
    book.step(newest=NOON + 3 * MINUTE)
    assert [row["state"] for row in book.rows(alerts)] == ["resolved"]


def test_a_correlation_ends_by_the_time_that_any_window_tells(book: Book) -> None:
    book.step(verdict(view=CORRELATION, entity="account 7"))
    book.step(newest=NOON + 2 * MINUTE, holds=True)
    assert [row["state"] for row in book.rows(alerts)] == ["firing"]
    book.step(newest=NOON + 3 * MINUTE)
    assert [row["state"] for row in book.rows(alerts)] == ["resolved"]


def test_an_entity_without_windows_says_nothing(book: Book) -> None:
    book.step(verdict(entity="silent"))
    book.step(newest=NOON + 30 * MINUTE)
    assert [row["state"] for row in book.rows(alerts)] == ["firing"]


def test_every_step_tells_the_pages_what_it_touched_and_no_more(book: Book) -> None:
    book.step(verdict())
    assert sorted(row["kind"] for row in book.rows(changes)) == ["alert", "incident"]
    book.step(newest=NOON + 2 * MINUTE, holds=True)
    assert len(book.rows(changes)) == 2


def test_a_person_may_end_what_still_fires(book: Book) -> None:
    book.step(verdict())
    with book.engine.begin() as connection:
        ledger = Ledger(connection, DEFAULT_ROUTES, (), None, lambda one: "g", now=NOON)
        (alert,) = ledger._alerts.values()
        ledger.resolve(alert, Event.RESOLVE, at=NOON, who="ann")
        ledger.write()
    assert [row["resolved_at"] for row in book.rows(alerts)] == [NOON]


@pytest.mark.parametrize("family", ["host.memory", RARE])
def test_an_alert_ends_when_its_view_has_forgotten_its_entity(book: Book, family: str) -> None:
    book.step(verdict(entity="a", family=family))
    (alert,) = book.rows(alerts)
    gone = alert["last_seen"] + HOST.forget_after
    for newest, state in ((gone - MINUTE, "firing"), (gone, "resolved")):
        book.step(now=newest, newest=newest, of="b", holds=True)
        assert [row["state"] for row in book.rows(alerts)] == [state]
    assert book.why() == ["nothing came of a while others went on"]


@pytest.mark.parametrize(
    ("view", "left", "words"),
    [(HOST.name, STALE, "a day"), ("access.ip_1m", HUSHED, "an hour")],
)
def test_what_is_heard_of_no_more_is_over_by_the_clock_and_the_pages_are_told(
    book: Book, view: str, left: timedelta, words: str
) -> None:
    seen = verdict(view=view)
    book.step(seen, now=seen.end)
    before = len(book.rows(changes))
    book.wait(seen.end + left)
    assert [row["state"] for row in book.rows(alerts)] == ["firing"]
    book.wait(seen.end + left + MINUTE)
    assert [row["state"] for row in book.rows(alerts)] == ["resolved"]
    assert book.why() == [f"nothing was heard of it for {words}"]
    assert len(book.rows(changes)) == before + 1


def test_what_a_stream_catches_up_with_is_not_over_because_it_is_old(book: Book) -> None:
    seen = verdict(view="access.ip_1m")
    heard = seen.end + 6 * HUSHED
    book.step(seen, now=heard)
    book.wait(heard + HUSHED)
    assert [row["state"] for row in book.rows(alerts)] == ["firing"]


def test_the_end_of_an_alert_says_why(book: Book) -> None:
    rare = verdict(entity="a", family=RARE, rarity=Rarity(0.1, 1.0))
    book.step(rare, verdict(entity="b"))
    book.step(newest=rare.end + QUIET)
    book.step(newest=rare.end + QUIET, of="b")
    assert book.why() == ["no window of it was rare for ten minutes", "no rule holds any more"]


def test_each_alert_of_an_incident_asks_for_its_playbook(book: Book) -> None:
    asked: list[tuple[str, str]] = []
    book.options["start"] = lambda connection, incident, alert, now: asked.append(
        (incident["id"], alert["entity"])
    )
    both = [verdict(entity=name, playbook="performance_degradation") for name in "ab"]
    book.step(*both, group="one")
    (incident,) = book.rows(incidents)
    assert asked == [(incident["id"], "a"), (incident["id"], "b")]
    assert incident["playbook"] == "performance_degradation"


def test_a_playbook_waits_for_the_end_of_maintenance_and_says_so(book: Book) -> None:
    started: list[datetime] = []
    book.options["start"] = lambda connection, incident, alert, now: started.append(now)
    with book.engine.begin() as connection:
        connection.execute(
            silences.insert().values(
                id="m",
                kind="maintenance",
                matchers=[Matcher(label="entity", value="a").model_dump()],
                starts_at=NOON - 5 * MINUTE,
                ends_at=NOON + 5 * MINUTE,
                created_by="ann",
                comment="new disks",
            )
        )
    late = NOON + 20 * MINUTE
    book.step(verdict(playbook="performance_degradation"), now=late)
    (alert,) = book.rows(alerts)
    assert (started, book.rows(outbox)) == ([], [])
    assert alert["suppressed"].startswith("maintenance m until ")
    assert alert["suppressed"].endswith("; the playbook performance_degradation waits")
    after = late + MINUTE
    book.step(verdict(playbook="performance_degradation", end=after), now=after)
    with book.engine.begin() as connection:
        ledger = Ledger(
            connection, DEFAULT_ROUTES, (), book.options["start"], lambda one: "g", now=after
        )
        ledger.reconsider()
        ledger.write()
    assert started == [after]
    assert book.rows(outbox)
    (incident,) = book.rows(incidents)
    assert incident["playbook"] == "performance_degradation"
