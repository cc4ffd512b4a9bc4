"""What a report tells an engineer follows from the figures by rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.report.results import Budget, Drift, Level, SetResult, Verdict
from pipeline.report.verdict import verdict
from tests.pipeline.reporting import GOOD, ROWS, quality


def budget(asked: float, got: float, state: str, *, days: float = 100.0, why: str = "") -> Budget:
    ratio = got / asked
    span = (ratio - 0.1, ratio + 0.1)
    return Budget("alerts", asked, asked * days, got, ratio, *span, state, why, 0.75, 10.0)


CALM = replace(GOOD, name="calm", budgets=[budget(1.0, 1.1, "kept"), budget(10.0, 11.6, "kept")])


def told(*sets: SetResult) -> Verdict:
    return verdict(list(sets))


def test_a_good_set_leaves_nothing_to_do() -> None:
    found = told(CALM)
    assert found.good == [
        "calm: recall 0.97 (0.92 to 1.00) at 0.02 false alerts per entity and day; "
        "plain forest 0.50: better.",
        "calm: half of what is seen is seen within 7.5 s.",
        "calm: budgets of 1, 10 alerts a day are kept.",
        "calm: p means what it says down to 0.01, within a factor of 2.",
    ]
    assert found.bad == []
    assert found.next == ["Nothing: keep the budgets, and report again after the next training."]
    assert found.headline == (
        "Of 1 data set, detection is better than the best simple peer on 1. "
        "Of 2 alert budgets that the data can judge, 2 were kept. "
        "Normal scores are steady over time on all 1 data set."
    )


def test_each_set_is_counted_where_its_lead_puts_it() -> None:
    level = replace(CALM, quality=[quality(0.9, 0.8, 0.1, 0.0, lead=(0.1, -0.1, 0.3))])
    found = told(CALM, level, ROWS)
    assert (found.tally["better"], found.tally["level"], found.tally["worse"]) == (1, 1, 1)
    assert "better than the best simple peer on 1, not told apart" in found.headline
    assert "and worse than the best simple peer on 1." in found.headline


def test_behind_a_peer_is_bad_and_names_the_peer_to_run() -> None:
    found = told(replace(ROWS, labelled=30))
    assert found.bad[0].endswith("trivial score 0.60: worse.")
    assert found.next == [
        "logins: run the trivial score beside ours until the faintest calls below are understood."
    ]


def test_a_lead_that_labels_do_not_bear_out_is_not_called_better() -> None:
    for value, where in ((0.1, "good"), (-0.1, "bad")):
        q = quality(0.9, 0.8, 0.1, 0.0, lead=(value, -0.2, 0.3))
        lines = getattr(told(replace(CALM, quality=[q])), where)
        assert lines[0].endswith("not told apart by these labels.")


def test_chance_within_the_interval_is_bad() -> None:
    q = quality(0.1, 0.0, 0.0, 0.06, lead=(0.1, 0.05, 0.2))
    assert "calm: not told apart from chance." in told(replace(CALM, quality=[q])).bad


@pytest.mark.parametrize(("delay", "where"), [(60.0, "good"), (61.0, "bad")])
def test_more_than_a_minute_is_slow(delay: float, where: str) -> None:
    q = quality(0.9, 0.5, 0.1, 0.0, lead=(0.4, 0.2, 0.5), delay={"ours": delay})
    lines = getattr(told(replace(CALM, quality=[q])), where)
    assert any(f"seen within {delay:.0f} s" in line for line in lines)


def test_a_missed_budget_says_by_how_much_and_what_to_ask_for_instead() -> None:
    missed = [budget(0.25, 1.2, "missed"), budget(10.0, 30.0, "missed")]
    found = told(replace(CALM, budgets=missed))
    assert found.bad == [
        "calm: alerts a day: 0.25 asked for, 1.2 raised, a ratio of 4.80 (4.70 to 4.90).",
        "calm: alerts a day: 10 asked for, 30 raised, a ratio of 3.00 (2.90 to 3.10).",
    ]
    assert found.next == [
        "calm: until budgets are kept, ask for 0.25 a day to get 1.2 alerts.",
    ]
    assert "2 were missed" in found.headline


def test_a_missed_budget_of_windows_is_bad_too() -> None:
    missed = replace(budget(0.1, 0.0, "missed"), unit="windows")
    found = told(replace(CALM, budgets=[missed]))
    assert any("windows a day: 0.1 asked for, 0 raised" in line for line in found.bad)


def test_what_few_days_cannot_judge_is_neither_kept_nor_missed() -> None:
    few = budget(0.1, 0.1, "not measurable", why="10 expected")
    capped = budget(100.0, 30.0, "not measurable", why="no threshold raises more than 33 a day")
    found = told(replace(CALM, budgets=[few, capped]))
    assert (found.tally["judged"], found.tally["unjudged"]) == (0, 2)
    assert "2 were asked for that it cannot judge." in found.headline
    assert found.next == [
        "calm: budgets of 0.1 alerts a day need more days to be judged: "
        "42.7 alerts must be expected in them."
    ]


def test_a_budget_of_windows_is_told_apart_from_one_of_alerts() -> None:
    found = told(replace(CALM, budgets=[replace(budget(100.0, 108.0, "kept"), unit="windows")]))
    assert "calm: budgets of 100 windows a day are kept." in found.good
    assert found.tally["judged"] == 0


@pytest.mark.parametrize(("share", "way"), [(0.0201, "too often"), (0.0049, "too seldom")])
def test_p_off_by_more_than_a_factor_of_two_is_bad(share: float, way: str) -> None:
    found = told(replace(CALM, calibration=[Level(0.1, 0.1), Level(0.01, share)]))
    assert found.bad == [
        f"calm: normal life is called rare {way}: a share of {share} has p at or below 0.01."
    ]


def test_drift_is_told_with_its_direction() -> None:
    for first, last, way in ((0.1, 0.3, "more"), (0.3, 0.1, "less")):
        found = told(replace(CALM, drift=Drift([], 0.1, first, last, True)))
        assert f"p at or below 0.1 for {first} of them early and {last} late" in found.bad[0]
        assert f"looks {way} unusual" in found.next[0]
        assert found.headline.endswith("Normal scores drift over time on 1 of 1 data set.")


def test_few_labels_are_asked_for_more() -> None:
    assert told(replace(CALM, labelled=29)).next == [
        "calm: label more than 29 moments: its intervals are wide."
    ]
