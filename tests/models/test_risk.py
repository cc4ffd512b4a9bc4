"""A risk is bounded, fades, sums its parts, and never falls when something worse is known."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import risk as module
from models.detector import StateError
from models.risk import LINKED, RiskBook, RiskInput, severity

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SOURCES = ("trades", "orders", "rule")
inputs = st.lists(
    st.builds(
        RiskInput,
        severity=st.floats(0, 100),
        at=st.integers(0, 500).map(lambda hours: NOW - timedelta(hours=hours)),
        source=st.sampled_from(SOURCES),
        note=st.sampled_from(["", "x"]),
    ),
    max_size=60,
)
quick = settings(max_examples=60, deadline=None, derandomize=True)


def book(found: list[RiskInput], criticality: float = 1.0, **options: object) -> RiskBook:
    new = RiskBook(**options)  # type: ignore[arg-type]
    new.add("a", found)
    new.weigh("a", criticality)
    return new


@quick
@given(found=inputs, other=inputs, criticality=st.floats(0.01, 100), cap=st.floats(0, 100))
def test_a_risk_is_from_0_to_100_and_the_sum_of_its_contributions(
    found: list[RiskInput], other: list[RiskInput], criticality: float, cap: float
) -> None:
    risky = book(found, criticality, cap=cap)
    risky.add("b", other)
    risky.link("b", "a", 0.7)
    risk = risky.risk("a", NOW)
    assert 0.0 <= risk.value <= 100.0
    points = [part.points for part in risk.contributions]
    assert math.fsum(points) == pytest.approx(risk.value, abs=1e-12)
    assert points == sorted(points, reverse=True)
    assert all(value > 0 for value in points)


@quick
@given(found=inputs, criticality=st.floats(0.01, 100), cap=st.floats(0, 100))
def test_no_source_adds_more_than_its_cap(
    found: list[RiskInput], criticality: float, cap: float
) -> None:
    risk = book(found, criticality, cap=cap, caps={"rule": 7.0}).risk("a", NOW)
    for source in SOURCES:
        points = math.fsum(part.points for part in risk.contributions if part.source == source)
        assert points <= (7.0 if source == "rule" else cap) + 1e-9


def test_a_cap_is_reached_by_what_is_grave_enough() -> None:
    grave = [RiskInput(100.0, NOW, "rule") for _ in range(32)]
    assert book(grave).risk("a", NOW).value == pytest.approx(70.0)
    assert book(grave, cap=100.0).risk("a", NOW).value == pytest.approx(100.0)


@quick
@given(found=inputs.filter(len), which=st.integers(0, 59), more=st.floats(0, 100))
def test_a_graver_or_later_input_never_lowers_the_risk(
    found: list[RiskInput], which: int, more: float
) -> None:
    which %= len(found)
    before = book(found).risk("a", NOW).value
    old = found[which]
    for worse in (replace(old, severity=max(old.severity, more)), replace(old, at=NOW)):
        changed = [*found[:which], worse, *found[which + 1 :]]
        assert book(changed).risk("a", NOW).value >= before - 1e-9
    assert book([*found, RiskInput(more, NOW, "rule")]).risk("a", NOW).value >= before - 1e-9


@quick
@given(found=inputs, low=st.floats(0.01, 100), high=st.floats(0.01, 100))
def test_a_more_critical_entity_is_never_at_less_risk(
    found: list[RiskInput], low: float, high: float
) -> None:
    low, high = sorted((low, high))
    least, most = (book(found, weight).risk("a", NOW).value for weight in (low, high))
    assert least <= most + 1e-9


def test_twice_the_criticality_doubles_the_odds() -> None:
    found = [RiskInput(90.0, NOW, "trades")]
    plain, critical = (book(found, weight).risk("a", NOW).value for weight in (1.0, 2.0))
    assert critical / (100 - critical) == pytest.approx(2 * plain / (100 - plain))


@quick
@given(found=inputs, order=st.randoms(use_true_random=False), cut=st.integers(0, 60))
def test_the_order_and_the_batches_of_inputs_do_not_matter(
    found: list[RiskInput], order: object, cut: int
) -> None:
    mixed = list(found)
    order.shuffle(mixed)  # type: ignore[attr-defined]
    other = book(mixed[:cut])
    other.add("a", mixed[cut:])
    assert other.risk("a", NOW) == book(found).risk("a", NOW)


@quick
@given(found=inputs)
def test_a_risk_only_falls_with_time_and_comes_to_0(found: list[RiskInput]) -> None:
    risky = book(found)
    values = [risky.risk("a", NOW + timedelta(hours=12 * n)).value for n in range(17)]
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(values))
    assert values[-1] == 0.0


def test_after_a_half_life_a_risk_is_half() -> None:
    risky = book([RiskInput(80.0, NOW, "trades")], half_life=timedelta(hours=6))
    risk, later = (risky.risk("a", NOW + timedelta(hours=h)).value for h in (0, 6))
    assert later == pytest.approx(risk / 2)


def test_what_comes_later_does_not_count_yet() -> None:
    risky = book([RiskInput(80.0, NOW, "trades")])
    assert risky.risk("a", NOW - timedelta(seconds=1)).value == 0.0
    assert risky.risk("a", NOW).value > 0.0


def test_the_gravest_counts_most_and_the_like_of_it_less() -> None:
    one, two, other = (
        book(found).risk("a", NOW).value
        for found in (
            [RiskInput(50.0, NOW, "trades")],
            [RiskInput(50.0, NOW, "trades")] * 2,
            [RiskInput(50.0, NOW, "trades"), RiskInput(50.0, NOW, "orders")],
        )
    )
    assert one < two < 2 * one
    assert other == pytest.approx(2 * one)


def test_a_linked_entity_hands_on_its_share_and_tells_the_path() -> None:
    risky = book([RiskInput(90.0, NOW, "trades")])
    risky.link("a", "key", 0.5)
    risky.link("key", "address", 0.5)
    own = risky.risk("a", NOW).value
    (near,), (far,) = (risky.risk(name, NOW).contributions for name in ("key", "address"))
    assert (near.source, near.path, near.share) == (LINKED, ("a", "key"), 0.5)
    assert (far.path, far.share) == (("a", "key", "address"), 0.25)
    assert near.points == pytest.approx(own / 2)
    assert far.points == pytest.approx(own / 4)


def test_the_riskiest_are_told_first_and_those_at_no_risk_not_at_all() -> None:
    risky = RiskBook()
    for entity, grade in (("low", 20.0), ("high", 90.0), ("middle", 50.0), ("none", 0.0)):
        risky.add(entity, [RiskInput(grade, NOW, "trades")])
    risky.link("high", "key", 0.5)
    told = risky.riskiest(NOW, 10)
    assert [risk.entity for risk in told] == ["high", "middle", "key", "low"]
    assert told == [risky.risk(risk.entity, NOW) for risk in told]
    assert risky.riskiest(NOW, 2) == told[:2]
    assert risky.riskiest(NOW + timedelta(days=30), 10) == []


@quick
@given(found=inputs, other=inputs)
def test_to_forget_what_has_faded_changes_no_risk(
    found: list[RiskInput], other: list[RiskInput]
) -> None:
    risky = book(found)
    risky.add("b", other)
    risky.link("b", "a", 0.5)
    later = [NOW + timedelta(hours=hours) for hours in (0, 5, 50)]
    before = [risky.risk(name, now) for name in "ab" for now in later]
    risky.forget(NOW)
    assert [risky.risk(name, now) for name in "ab" for now in later] == before
    risky.forget(NOW + timedelta(days=30))
    changed = risky.state()
    assert changed["b"] is None
    assert changed["a"] == {"inputs": [], "links": {"b": 0.5}, "criticality": 1.0}
    assert risky.state() == {}


def test_risk_does_not_go_round_in_circles() -> None:
    risky = book([RiskInput(90.0, NOW, "trades")])
    alone = risky.risk("a", NOW)
    risky.link("a", "b", 1.0)
    risky.link("b", "a", 1.0)
    assert risky.risk("a", NOW) == alone
    assert risky.risk("b", NOW).value == pytest.approx(min(alone.value, 40.0))


@quick
@given(found=inputs, other=inputs, low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_stronger_link_never_lowers_the_risk(
    found: list[RiskInput], other: list[RiskInput], low: float, high: float
) -> None:
    values = []
    for share in sorted((low, high)):
        risky = book(found)
        risky.add("b", other)
        risky.link("b", "a", share)
        values.append(risky.risk("a", NOW).value)
    assert values[0] <= values[1] + 1e-9


def test_only_the_gravest_inputs_are_kept() -> None:
    risky = book([RiskInput(grade, NOW, "trades", str(grade)) for grade in range(1, 101)])
    kept = {part.note for part in risky.risk("a", NOW).contributions}
    assert kept == {str(grade) for grade in range(69, 101)}


def test_of_too_many_entities_the_gravest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ENTITIES", 10)
    risky = RiskBook()
    for grade in range(10, 21):
        risky.add(str(grade), [RiskInput(float(grade), NOW, "trades")])
    kept = {entity for entity in map(str, range(10, 21)) if risky.risk(entity, NOW).value}
    assert kept == {str(grade) for grade in range(12, 21)}


@quick
@given(found=inputs, criticality=st.floats(0.01, 100))
def test_a_book_comes_back_from_its_state_through_json(
    found: list[RiskInput], criticality: float
) -> None:
    risky = book(found, criticality, caps={"rule": 5}, cap=60, depth=3)
    risky.add("b", found[:3])
    risky.link("b", "a", 0.3)
    state = json.loads(json.dumps(risky.state()))
    again = RiskBook(caps={"rule": 5}, cap=60, depth=3)
    again.restore({name: row for name, row in state.items() if row is not None})
    assert again.risk("a", NOW) == risky.risk("a", NOW)
    again.add("b", [])
    assert again.state() == {"b": state.get("b")}


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("inputs", [[101.0, NOW.isoformat(), "trades", ""]]),
        ("inputs", [[50.0, "yesterday", "trades", ""]]),
        ("inputs", [[50.0]]),
        ("links", {"a": 0.5}),
        ("links", [["b", 0.5]]),
        ("criticality", 0.0),
        ("criticality", "2"),
    ],
)
def test_a_state_that_is_no_book_is_refused(part: str, value: object) -> None:
    row: dict[str, object] = {"inputs": [], "links": {}, "criticality": 1.0}
    with pytest.raises(StateError):
        RiskBook().restore({"a": {**row, part: value}})
    with pytest.raises(StateError):
        RiskBook().restore({"a": {name: kept for name, kept in row.items() if name != part}})


@pytest.mark.parametrize(
    ("grade", "at"), [(-1.0, NOW), (101.0, NOW), (math.nan, NOW), (5.0, NOW.replace(tzinfo=None))]
)
def test_an_input_out_of_range_is_refused(grade: float, at: datetime) -> None:
    with pytest.raises(ValueError, match="expected"):
        RiskInput(grade, at, "trades")


@quick
@given(rates=st.lists(st.floats(1e-300, 1e6), min_size=2, max_size=2))
def test_the_rarer_is_never_the_less_severe(rates: list[float]) -> None:
    rare, common = sorted(rates)
    assert 0.0 <= severity(common) <= severity(rare) <= 100.0
