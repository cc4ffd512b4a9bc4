"""The rule book: columns judged as rows would be, cut anywhere, restored anywhere."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.rules.book import RuleBook
from serving.rules.breach import Breach
from serving.rules.hold import Hold
from serving.rules.rule import Ladder
from tests.serving.rules.ruling import MINUTE, START, ladder, objective, pack, rung, windows

RUNGS = (
    rung("host.memory.low", 70, operator=">=", severity="medium", **{"for": "1"}),
    rung("host.memory.playbook", 80, playbook="performance_degradation"),
    rung("host.memory.high", 90, clear=60),
)
LADDER = ladder(*RUNGS, **{"for": "2 of 3"}, clear_for=2)
ALSO = ladder(
    rung("host.cpu.high", 50), family="host.cpu", feature="cpu_max",
    also=[{"feature": "samples", "operator": ">=", "limit": 2}],
)  # fmt: skip
VALUES = st.one_of(st.none(), st.sampled_from([10.0, 60.0, 66.5, 70.0, 75.0, 80.0, 85.0, 95.0]))
FEATURES = st.fixed_dictionaries(
    {"memory_max": VALUES, "cpu_max": VALUES, "samples": st.sampled_from([None, 1.0, 2.0])}
)
HISTORIES = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), FEATURES, max_size=3), max_size=14
)


def _rows(ladders: list[Ladder], frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """One window after the other, one ladder after the other, with dictionaries only."""
    holds: dict[tuple[str, str], Hold] = defaultdict(Hold)
    found = []
    for window in frame.iter_rows(named=True):
        for made in ladders:
            value = window[made.feature]
            if value is None:
                continue
            others = [(window[a.feature], a.limit) for a in made.also]
            counted = all(other is not None and other >= limit for other, limit in others)
            told: tuple[str, bool] | None = None
            for one in made.rungs:
                key = (one.id, window["entity"])
                holds[key] = holds[key].step(
                    broken=counted and made.breaks(one, value),
                    cleared=made.cleared(one, value),
                    end=window["end"],
                    of=one.hold or made.hold,
                    clear_for=made.clear_for,
                )
                if holds[key].breached:
                    told = one.id, False
                elif holds[key].bits and told is None:
                    told = one.id, True
            if told is not None:
                found.append((*told, window["entity"], window["end"]))
    return sorted(found, key=str)


def _brief(found: list[Breach]) -> list[tuple[Any, ...]]:
    return sorted(((b.rule, b.pending, b.entity, b.end) for b in found), key=str)


@given(HISTORIES)
@settings(max_examples=60)
def test_columns_say_what_rows_say(history: list[dict[str, Any]]) -> None:
    frame = windows(history)
    found = RuleBook([pack(LADDER, ALSO)]).breaches(LADDER.view, frame)
    assert _brief(found) == _rows([LADDER, ALSO], frame)
    ends = [breach.end for breach in found]
    assert ends == sorted(ends)


@given(HISTORIES, st.lists(st.integers(0, 42), max_size=4))
@settings(max_examples=30)
def test_windows_cut_anywhere_and_a_restart_at_any_cut_give_the_same_breaches(
    history: list[dict[str, Any]], cuts: list[int]
) -> None:
    frame = windows(history)
    parts = pack(LADDER, ALSO)
    whole = RuleBook([parts]).breaches(LADDER.view, frame)
    kept: dict[str, Any] = {}
    found: list[Breach] = []
    edges = [0, *sorted(min(cut, len(frame)) for cut in cuts), len(frame)]
    for begin, end in pairwise(edges):
        book = RuleBook([parts])
        book.restore(json.loads(json.dumps(kept)))
        found += book.breaches(LADDER.view, frame[begin:end])
        kept |= book.state()
        assert book.state() == {}
        kept = {key: state for key, state in kept.items() if state is not None}
    assert found == whole


def test_the_highest_rung_tells_and_a_lower_ones_playbook_goes_on() -> None:
    book = RuleBook([pack(ladder(*RUNGS))])
    (breach,) = book.breaches(LADDER.view, windows([{"a": 91.0}]))
    assert (breach.rule, breach.playbook) == ("host.memory.high", "performance_degradation")
    (breach,) = book.breaches(LADDER.view, windows([{"a": 75.0}], first=START + MINUTE))
    assert breach.rule == "host.memory.high"


def test_a_pending_breach_says_so_and_a_window_of_cpu_at_86_is_high_at_once() -> None:
    made = ladder(
        rung("host.cpu.warning", 70, operator=">=", severity="warning", **{"for": "2 of 3"}),
        rung("host.cpu.critical", 85, operator=">="),
    )
    book = RuleBook([pack(made)])
    first, second = book.breaches(made.view, windows([{"a": 71.0, "b": 86.0}]))
    assert (first.rule, first.pending, second.rule, second.pending) == (
        "host.cpu.warning", True, "host.cpu.critical", False,
    )  # fmt: skip


def test_only_the_entities_and_times_that_are_named_are_judged() -> None:
    made = ladder(only="db-.*", between="00:01-00:02")
    frame = windows([{"db-1": 99.0, "my-db-1": 99.0}] * 3)
    found = RuleBook([pack(made)]).breaches(made.view, frame)
    assert [(breach.entity, breach.start) for breach in found if not breach.pending][:1] == [
        ("db-1", START + MINUTE)
    ]
    assert {breach.entity for breach in found} == {"db-1"}


def test_an_entity_that_left_is_forgotten_and_its_key_with_it() -> None:
    made = ladder(view="access.ip_1m", feature="requests")
    book = RuleBook([pack(made)])
    one = windows([{"x": {"requests": 99.0}}], view=made.view)
    book.breaches(made.view, one)
    assert book.holds(made.family, "x")
    assert list(book.state().values()) != [None]
    later = START + timedelta(minutes=4)
    book.breaches(made.view, windows([{"y": {"requests": 1.0}}], view=made.view, first=later))
    assert not book.holds(made.family, "x")
    assert book.state() == {"host.memory.high|x": None}


def test_labels_name_the_parts_of_an_entity() -> None:
    made = ladder(view="system.disk_1m", feature="used_last", labels={"team": "platform"})
    frame = windows([{"web-1|/var": {"used_last": 99.0}}], view=made.view)
    (breach,) = RuleBook([pack(made)]).breaches(made.view, frame)
    assert breach.labels == {
        "host": "web-1", "mount": "/var", "team": "platform", "title": "Memory",
    }  # fmt: skip
    assert breach.summary == "web-1|/var 99.0 85.0 "


@given(
    st.lists(st.sampled_from([0.0, 50.0, 100.0, None]), min_size=1, max_size=80),
    st.lists(st.integers(0, 80), max_size=3),
)
@settings(max_examples=20)
def test_a_service_level_is_the_same_cut_anywhere(
    shares: list[float | None], cuts: list[int]
) -> None:
    made = objective()
    told = [{"api": {"availability": share, "samples": 2.0}} for share in shares]
    frame = windows(told, view=made.view)
    whole = RuleBook([pack(made)]).breaches(made.view, frame)
    kept: dict[str, Any] = {}
    found: list[Breach] = []
    edges = [0, *sorted(min(cut, len(frame)) for cut in cuts), len(frame)]
    for begin, end in pairwise(edges):
        book = RuleBook([pack(made)])
        book.restore(json.loads(json.dumps(kept)))
        found += book.breaches(made.view, frame[begin:end])
        kept |= {key: state for key, state in book.state().items() if state is not None}
    assert found == whole


def test_what_is_kept_of_a_rule_that_is_gone_is_left_out() -> None:
    book = RuleBook([pack(LADDER)])
    book.restore({"gone.rule|a": Hold(1, 0, START, START).state()})
    assert book.state() == {}
    assert not book.holds("gone", "a")


@pytest.mark.parametrize("count", [0, 1])
def test_windows_of_a_view_without_rules_say_nothing(count: int) -> None:
    frame = windows([{"a": 99.0}] * count)
    assert RuleBook([pack(objective())]).breaches(LADDER.view, frame) == []
