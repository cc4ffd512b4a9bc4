"""Correlations: orders, counts and firsts, the same however breaches are cut and restored."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.alerts.muting import Inhibition
from serving.rules.actors import Actors
from serving.rules.breach import Breach
from serving.rules.correlate import CORRELATION, Correlator, inhibitions
from serving.rules.rule import Correlation, Pack
from serving.severity import Severity
from tests.serving.rules.ruling import MINUTE, START, breach, correlation, ladder, pack, rung

ABC = ("a.one", "b.two", "c.three")
ORDERED = correlation("ordered", *ABC, within="30m", id="story.ordered")
ALL = correlation("all", "a.one", "b.two", within="10m", id="story.all", by="everywhere")
COUNT = correlation("count", "a.one", within="10m", at_least=3, id="story.count")
DISTINCT = correlation(
    "distinct", "a.one", within="10m", at_least=2, id="story.distinct", by="everywhere"
)
FIRST = correlation("first", "c.three", within="20m", id="story.first")
ON_TOP = correlation("all", "story.count", "b.two", within="1h", id="story.top")
EVERY = (ORDERED, ALL, COUNT, DISTINCT, FIRST, ON_TOP)


def _told(parts: tuple[Correlation, ...], *found: Breach) -> list[tuple[str, str, float]]:
    joined = Correlator([pack(*parts)]).breaches(found, at=found[-1].end)
    return [(b.rule, b.entity, (b.end - START) / MINUTE) for b in joined]


def test_an_order_is_told_when_it_is_complete_and_only_in_its_order() -> None:
    right = [breach(rule, minute) for rule, minute in zip(ABC, (1, 5, 9), strict=True)]
    wrong = [breach(rule, minute) for rule, minute in zip(ABC, (9, 5, 1), strict=True)]
    assert _told((ORDERED,), *right) == [("story.ordered", "one", 9)]
    assert _told((ORDERED,), *wrong) == []


def test_what_comes_late_is_put_where_its_time_belongs() -> None:
    late = [breach(rule, minute) for rule, minute in (("c.three", 9), ("a.one", 1), ("b.two", 5))]
    assert _told((ORDERED,), *late) == [("story.ordered", "one", 5)]


def test_windows_that_overlap_could_be_in_any_order() -> None:
    long = {"length": 5 * MINUTE}
    same = [breach(rule, 5, **long) for rule in reversed(ABC)]
    assert _told((ORDERED,), *same) == [("story.ordered", "one", 5)]


def test_an_order_that_takes_too_long_or_belongs_to_others_is_not_told() -> None:
    slow = [breach(rule, minute) for rule, minute in zip(ABC, (1, 5, 50), strict=True)]
    others = [breach(rule, 5, entity) for rule, entity in zip(ABC, "xyz", strict=True)]
    assert _told((ORDERED,), *slow) == []
    assert _told((ORDERED,), *others) == []


def test_a_count_counts_windows_of_one_entity_within_its_time() -> None:
    near = [breach("a.one", minute) for minute in (1, 5, 11, 20)]
    assert _told((COUNT,), *near) == [("story.count", "one", 11)]
    assert _told((COUNT,), *near[:3], breach("a.one", 14)) == [
        ("story.count", "one", 11), ("story.count", "one", 14),
    ]  # fmt: skip
    assert (
        _told((COUNT,), *(breach("a.one", m, e) for m, e in ((1, "x"), (2, "y"), (3, "x")))) == []
    )


def test_a_distinct_count_counts_entities() -> None:
    assert _told((DISTINCT,), breach("a.one", 1, "x"), breach("a.one", 2, "x")) == []
    two = _told((DISTINCT,), breach("a.one", 1, "x"), breach("a.one", 2, "y"))
    assert two == [("story.distinct", "everywhere", 2)]


def test_a_first_is_told_only_after_it_was_watched_for_as_long() -> None:
    new = [
        breach("c.three", 1, "old"),
        breach("c.three", 15, "early"),
        breach("c.three", 22, "new"),
    ]
    assert _told((FIRST,), *new) == [("story.first", "new", 22)]
    again = (*new, breach("c.three", 30, "new"), breach("c.three", 60, "new"))
    assert _told((FIRST,), *again) == [("story.first", "new", 22), ("story.first", "new", 60)]


def test_a_correlation_may_be_part_of_another() -> None:
    found = [breach("a.one", minute) for minute in (1, 2, 3)]
    assert _told((COUNT, ON_TOP), breach("b.two", 0), *found) == [
        ("story.count", "one", 3), ("story.top", "one", 3),
    ]  # fmt: skip


def test_a_higher_rung_counts_for_a_lower_one_and_not_the_other_way() -> None:
    made = ladder(rung("a.low", 70), rung("a.high", 90), family="a")
    low = correlation("count", "a.low", at_least=2, id="story.low")
    high = correlation("count", "a.high", at_least=2, id="story.high")
    correlator = Correlator([pack(made, low, high)])
    found = [breach("a.low", 1), breach("a.high", 2)]
    assert [b.rule for b in correlator.breaches(found, at=found[-1].end)] == ["story.low"]


def test_what_is_pending_or_on_its_way_back_says_nothing() -> None:
    pending = [breach("a.one", minute, pending=True) for minute in (1, 2, 3)]
    back = [breach("a.one", minute, value=0.5) for minute in (1, 2, 3)]
    assert _told((COUNT,), *pending, *back) == []


def test_entities_that_are_linked_are_one_actor() -> None:
    by_actor = correlation("ordered", *ABC, by="actor")
    actor = Actors()
    actor.restore({name: {"account": "ann"} for name in ("key-1", "0xab")})
    found = [
        breach(rule, 5, entity)
        for rule, entity in zip(ABC, ("ann|ETH", "key-1", "0xab"), strict=True)
    ]
    (told,) = Correlator([pack(by_actor)], actor=actor).breaches(found, at=found[-1].end)
    assert told.entity == "ann"
    assert Correlator([pack(by_actor)]).breaches(found, at=found[-1].end) == []


def test_breaches_that_share_a_label_are_joined_by_it() -> None:
    by_host = correlation("distinct", "a.one", by="host", at_least=2)
    found = [breach("a.one", 1, f"web|{disk}", labels={"host": "web"}) for disk in "ab"]
    (told,) = Correlator([pack(by_host)]).breaches(found, at=found[-1].end)
    assert (told.entity, told.labels["host"]) == ("web", "web")


def test_a_breach_of_a_correlation_tells_its_steps_and_when() -> None:
    found = [breach(rule, minute) for rule, minute in zip(ABC, (1, 5, 9), strict=True)]
    (told,) = Correlator([pack(ORDERED)]).breaches(found, at=found[-1].end)
    assert (told.view, told.family, told.severity) == (CORRELATION, ORDERED.id, Severity.CRITICAL)
    assert (told.start, told.end, told.exact) == (START, START + 9 * MINUTE, True)
    assert [step["rule"] for step in told.evidence["steps"]] == list(ABC)
    assert told.summary == "one 3 30 minutes"
    assert told.labels == {"host": "one", "title": "Story"} or told.labels == {"title": "Story"}


def test_it_holds_for_its_time_and_no_longer_and_is_then_forgotten() -> None:
    correlator = Correlator([pack(COUNT)])
    found = [breach("a.one", minute) for minute in (1, 2, 3)]
    correlator.breaches(found, at=found[-1].end)
    assert correlator.holds(COUNT.id, "one", at=START + 13 * MINUTE)
    assert not correlator.holds(COUNT.id, "one", at=START + 14 * MINUTE)
    assert not correlator.holds(COUNT.id, "two", at=START)
    assert not correlator.holds("host.cpu", "one", at=START)
    assert list(correlator.state()) == ["story.count|one"]
    correlator.breaches([], at=START + timedelta(hours=2))
    assert correlator.state() == {"story.count|one": None}


HAPPENED = st.lists(
    st.tuples(st.sampled_from(ABC), st.integers(1, 90), st.sampled_from(["x", "y"])), max_size=25
)


@given(HAPPENED, st.lists(st.integers(0, 25), max_size=4))
@settings(max_examples=80)
def test_breaches_cut_anywhere_and_a_restart_at_any_cut_say_the_same(
    happened: list[tuple[str, int, str]], cuts: list[int]
) -> None:
    found = sorted((breach(*one) for one in happened), key=lambda one: one.end)
    parts = [pack(*EVERY)]
    end = START + timedelta(hours=3)
    whole = Correlator(parts).breaches(found, at=found[-1].end if found else end)
    kept: dict[str, Any] = {}
    told: list[Breach] = []
    edges = [0, *sorted(min(cut, len(found)) for cut in cuts), len(found)]
    for begin, stop in pairwise(edges):
        correlator = Correlator(parts)
        correlator.restore(json.loads(json.dumps(kept)))
        if begin < stop:
            told += correlator.breaches(found[begin:stop], at=found[stop - 1].end)
        kept |= correlator.state()
        assert correlator.state() == {}
        kept = {key: state for key, state in kept.items() if state is not None}
    assert told == whole


@given(st.lists(st.tuples(st.sampled_from(ABC), st.integers(1, 40)), max_size=12))
def test_an_order_is_told_exactly_when_there_is_one(happened: list[tuple[str, int]]) -> None:
    found = sorted((breach(*one) for one in happened), key=lambda one: one.end)
    told = {b.end for b in Correlator([pack(ORDERED)]).breaches(found, at=START)}
    times = {rule: sorted({m for r, m in happened if r == rule}) for rule in ABC}
    # One minute may hold several steps; from the end of the first to the start of the last window.
    chains = [
        max(a, b, c)
        for a in times["a.one"]
        for b in times["b.two"]
        for c in times["c.three"]
        if a <= b <= c and (c - 1) - a <= 30
    ]
    assert (min(told) if told else None) == (START + min(chains) * MINUTE if chains else None)


@pytest.mark.parametrize("packs", [[], [Pack(pack="p", about="")]])
def test_without_inhibitions_nothing_is_muted(packs: list[Pack]) -> None:
    assert inhibitions(packs) == []


def test_inhibitions_of_all_packs_are_put_together() -> None:
    given = {"source": [{"label": "a", "value": "1"}], "target": [{"label": "b", "value": "2"}]}
    packs = [Pack(pack=name, about="", inhibitions=[given]) for name in "xy"]
    assert inhibitions(packs) == [Inhibition.model_validate(given)] * 2
