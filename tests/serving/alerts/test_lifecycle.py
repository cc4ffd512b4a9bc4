"""The life of an alert: only what the table says happens, whatever comes in whichever order."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.database import open_engine
from serving.alerts.acts import Act, act
from serving.alerts.engine import AlertEngine
from serving.alerts.lifecycle import OPEN, TRANSITIONS, AlertError, Event, State, after
from serving.rules.book import RuleBook
from serving.severity import Severity
from serving.store.audit import verify
from serving.store.migrate import migrate
from serving.store.tables import alerts, incidents, outbox
from tests.serving.alerts.alerting import PACK, Bench, NoCorrelations

ACTS: tuple[Act, ...] = ("acknowledge", "unacknowledge", "resolve")


def test_every_state_is_reached_and_every_open_one_left() -> None:
    assert {to for _, to in TRANSITIONS.items()} == set(State)
    assert {state for (state, _), to in TRANSITIONS.items() if to != state} == {None, *State}
    assert set(OPEN) == set(State) - {State.RESOLVED}


@pytest.mark.parametrize("state", [None, *State])
@pytest.mark.parametrize("event", list(Event))
def test_what_is_not_in_the_table_cannot_happen(state: State | None, event: Event) -> None:
    if (state, event) in TRANSITIONS:
        assert after(state, event) == TRANSITIONS[state, event]
    else:
        with pytest.raises(AlertError, match=f"cannot be told to {event}"):
            after(state, event)


def _reachable() -> dict[str | None, set[str]]:
    """Which states one step, that may hold several events, can lead to."""
    reach: dict[str | None, set[str]] = {state: {state} if state else set() for state in State}
    reach[None] = set()
    for _ in State:
        for (state, _event), to in TRANSITIONS.items():
            reach[state] |= {to.value, *reach[to]}
    return reach


REACHABLE = _reachable()


class Life(RuleBasedStateMachine):
    """Two hosts whose memory does anything, people who do anything, processes that die."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        engine = open_engine(f"sqlite:///{Path(self.folder.name) / 'store.db'}")
        migrate(engine)
        self.bench = Bench(engine, lambda: AlertEngine(RuleBook([PACK]), NoCorrelations()))
        self.before: dict[str, dict[str, Any]] = {}
        self.told: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            with self.bench.engine.connect() as connection:
                assert verify(connection) is None
            self.bench.engine.dispose()
            self.folder.cleanup()

    @rule(
        a=st.sampled_from([50.0, 80.0, 88.0, 97.0, None]),
        b=st.sampled_from([50.0, 80.0]),
        rare=st.sampled_from([{}, {}, {"a": 0.5}, {"b": 0.001}]),
    )
    def a_minute_passes(self, a: float | None, b: float, rare: dict[str, float]) -> None:
        self.bench.minute({"a": a, "b": b}, rare=rare)

    @rule(minutes=st.sampled_from([0, 1, 11, 16, 60 * 25]))
    def time_passes(self, minutes: int) -> None:
        self.bench.tick(timedelta(minutes=minutes))

    @rule()
    def the_process_dies(self) -> None:
        self.bench.restart()

    @precondition(lambda self: self.before)
    @rule(data=st.data(), what=st.sampled_from(ACTS))
    def somebody_acts(self, data: st.DataObject, what: Act) -> None:
        chosen = self.before[data.draw(st.sampled_from(sorted(self.before)))]
        possible = (State(chosen["state"]), Event(what)) in TRANSITIONS
        with self.bench.engine.begin() as connection:
            if possible:
                act(connection, [chosen["id"]], what, who="ann", now=self.bench.now)
            else:
                with pytest.raises(AlertError):
                    act(connection, [chosen["id"]], what, who="ann", now=self.bench.now)

    @invariant()
    def everything_holds_together(self) -> None:
        if not hasattr(self, "bench"):
            return
        rows = {row["id"]: row for row in self.bench.rows(alerts)}
        owners = {row["id"]: row for row in self.bench.rows(incidents)}
        assert rows.keys() >= self.before.keys()
        for name, row in rows.items():
            was = self.before.get(name)
            assert row["state"] in REACHABLE[was["state"] if was else None]
            assert (row["resolved_at"] is not None) == (row["state"] == "resolved")
            assert (row["acknowledged_at"] is not None) == (row["acknowledged_by"] != "")
            if row["fired_at"] is None:
                assert (row["incident"], row["notified_at"]) == (None, None)
            else:
                assert row["incident"] in owners
            if row["state"] in ("firing", "acknowledged"):
                owner = owners[row["incident"]]
                assert owner["state"] == "open"
                assert row["entity"] in owner["entities"]
                assert Severity(owner["severity"]) >= Severity(row["severity"])
                # Nobody is left in the dark without a reason that can be read.
                assert row["notified_at"] or row["suppressed"]
            if was:
                assert row["windows"] >= was["windows"]
                assert Severity(row["severity"]) >= Severity(was["severity"])
        open_ones = [row["fingerprint"] for row in rows.values() if row["state"] in OPEN]
        assert len(open_ones) == len(set(open_ones))
        groups = [row["group"] for row in owners.values() if row["state"] == "open"]
        assert len(groups) == len(set(groups))
        keys = {row["dedup_key"] for row in self.bench.rows(outbox)}
        assert keys >= self.told
        self.before, self.told = rows, keys


Life.TestCase.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
TestLife = Life.TestCase
