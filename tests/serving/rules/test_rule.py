"""What a rule pack may say, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from serving.rules.rule import Pack
from tests.serving.rules.ruling import correlation, ladder, objective, rung

ONE, TWO = "host.memory.one", "host.memory.two"


def test_exactly_the_limit_breaks_only_what_says_or_equal() -> None:
    steep = ladder(rung(ONE, 75, operator=">="), rung(TWO, 85))
    warning, playbook = steep.rungs
    assert steep.breaks(warning, 75)
    assert not steep.breaks(warning, 74.999)
    assert not steep.breaks(playbook, 85)
    assert steep.breaks(playbook, 85.001)


@pytest.mark.parametrize(
    ("operator", "limit", "value", "cleared"),
    [
        (">", 100, 95, True),
        (">", 100, 95.1, False),
        (">", 100, 100, False),
        ("<", 100, 105, True),
        ("<", 100, 104.9, False),
        (">", -100, -105, True),
        (">", 0, 0, True),
        (">=", 0, 0, False),
    ],
)
def test_a_rung_is_left_at_95_percent_of_its_limit(
    operator: str, limit: float, value: float, cleared: bool
) -> None:
    made = ladder(rung(ONE, limit), operator=operator)
    assert made.cleared(made.rungs[0], value) is cleared


def test_a_clear_level_of_its_own_is_taken() -> None:
    made = ladder(rung(ONE, 100, clear=50))
    assert [made.cleared(made.rungs[0], value) for value in (50, 51)] == [True, False]


@pytest.mark.parametrize(
    ("rungs", "more", "complaint"),
    [
        ([rung(ONE, 90), rung(TWO, 80)], {}, "expected the mildest first"),
        ([rung(ONE, 80), rung(TWO, 80)], {}, "expected the mildest first"),
        ([rung(ONE, 80), rung(TWO, 90)], {"operator": "<"}, "expected the mildest first"),
        ([rung(ONE, 80, operator="<")], {}, "expected the way of >"),
        ([rung(ONE, 80, clear=81)], {}, "expected on the good side of 80"),
        ([rung(ONE, 80, hit=[])], {}, "at least 1 item"),
        ([rung("Bad id", 80)], {}, "String should match pattern"),
        ([rung(ONE, 80, severity="bad")], {}, "expected one of info, low"),
        ([rung(ONE, 80, severity=5)], {}, "severity is '5'; expected one of info, low"),
        ([rung(ONE, 80)], {"only": "(?=x)"}, "expected a regular expression"),
        ([rung(ONE, 80)], {"between": "23:00-02:00"}, "expected times of one day"),
        ([rung(ONE, 80)], {"treshold": 3}, "Extra inputs are not permitted"),
    ],
)
def test_a_ladder_that_cannot_be_is_refused(
    rungs: list[dict[str, Any]], more: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ladder(*rungs, **more)


def test_an_objective_needs_a_long_time_that_is_longer() -> None:
    given = objective().model_dump(by_alias=True)
    given["rungs"][0] |= {"long": "5m", "short": "5m"}
    with pytest.raises(ValidationError, match="expected less than"):
        objective(rungs=given["rungs"])


@pytest.mark.parametrize(
    ("kind", "rules", "more", "complaint"),
    [
        ("ordered", ["a.a"], {}, "expected 2 to 5"),
        ("all", ["a.a"] * 6, {}, "expected 2 to 5"),
        ("count", ["a.a"], {"at_least": 1}, "expected at least 2"),
        ("count", [], {"at_least": 3}, "at least 1 item"),
        ("never", ["a.a"], {}, "Input should be"),
    ],
)
def test_a_correlation_that_cannot_be_is_refused(
    kind: str, rules: list[str], more: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        correlation(kind, *rules, **more)


def test_a_pack_is_written_as_it_is_read() -> None:
    pack = Pack(
        pack="p",
        about="",
        ladders=[ladder(rung(ONE, 80, **{"for": "2 of 3"}))],
        objectives=[objective()],
        correlations=[correlation("all", "a.a", "b.b")],
    )
    assert Pack.model_validate(pack.model_dump(mode="json", by_alias=True)) == pack
    assert [metric.family for metric in pack.metrics] == ["host.memory", "service.availability"]
