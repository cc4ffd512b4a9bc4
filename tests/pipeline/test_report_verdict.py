"""What a report tells an engineer follows from the figures by rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.report.judge import kept
from pipeline.report.results import Budget, Drift, Level, SetResult, Verdict
from pipeline.report.verdict import verdict
from tests.pipeline.reporting import GOOD, ROWS, quality

CALM = replace(GOOD, name="calm")


def told(*sets: SetResult) -> Verdict:
    return verdict(list(sets))


def test_a_good_set_leaves_nothing_to_do() -> None:
    found = told(CALM)
    assert found.good == [
        "calm: recall 0.97 (0.92 to 1.00) at 0.02 false alerts per entity and day; "
        "plain forest 0.50: better.",
        "calm: half of what is seen is seen within 7.5 s.",
        "calm: alert budgets kept: 1, 10 a day.",
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


def budget(asked: float, raised: float, windows: float, days: float = 100.0) -> Budget:
    state = kept(asked, raised, days)
    return Budget(asked, windows, raised, asked * days, state, 0.75, 10.0)


def test_an_exceeded_budget_says_what_to_ask_for_instead() -> None:
    found = told(replace(CALM, budgets=[budget(0.25, 1.2, 3.0), budget(10.0, 30.0, 99.0)]))
    assert "calm: more alerts than asked for: a budget of 0.25 a day gave 1.2 (3 windows)." in (
        found.bad
    )
    assert found.next == [
        "calm: until budgets are kept, ask for 0.25 alerts a day to get 1.2; "
        "that sees 0.75 of what is labelled."
    ]
    assert "2 were exceeded" in found.headline


def test_alerts_below_a_budget_that_windows_keep_are_told_as_merging() -> None:
    found = told(replace(CALM, budgets=[budget(10.0, 1.0, 9.0)]))
    assert found.next[1] == (
        "calm: windows keep the budget of 10 a day (9), the alerts they merge into do not: "
        "set thresholds by alerts, not by windows."
    )
    assert "1 was not used up" in found.headline


def test_a_count_that_chance_explains_judges_no_budget() -> None:
    found = told(replace(CALM, budgets=[budget(0.1, 0.2, 0.3, days=10.0)]))
    assert found.tally["judged"] == 0
    assert "budget" not in found.headline


@pytest.mark.parametrize(
    ("asked", "raised", "days", "state"),
    [
        (10, 12.9, 100, "kept"),
        (10, 13.1, 100, "over"),
        (10, 7.1, 100, "kept"),
        (10, 6.9, 100, "under"),
        # Of 5 expected, none is less than chance brings; of 2 it is not.
        (1, 0, 5, "under"),
        (1, 0, 2, "untold"),
        # 10 counts lie within 30 % of each other by luck alone.
        (1, 1, 10, "untold"),
        (1, 1, 12, "kept"),
    ],
)
def test_a_budget_is_kept_within_its_tolerance_if_the_days_suffice(
    asked: float, raised: float, days: float, state: str
) -> None:
    assert kept(asked, raised, days) == state


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
