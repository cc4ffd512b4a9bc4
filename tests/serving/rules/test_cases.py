"""Cases of rules are run, and one that lies is named."""

from __future__ import annotations

import pytest

from serving.rules.cases import failures
from serving.rules.load import load_packs
from serving.rules.rule import Pack
from tests.serving.rules.ruling import correlation, ladder, objective, pack, rung

HIT, MISS = [{"memory_max": 86}], [{"memory_max": 85}]


def test_every_case_of_every_pack_does_what_it_says() -> None:
    assert list(failures(load_packs())) == []


@pytest.mark.parametrize(
    ("hit", "miss", "says"),
    [
        ([HIT], [MISS], []),
        ([HIT, MISS], [MISS], ["host.memory.high: hit case 2 does not hit"]),
        ([HIT], [HIT], ["host.memory.high: miss case 1 does not miss"]),
        ([[{"memory_max": 50, "times": 3}, {"memory_max": 99}]], [[{"memory_max": None}]], []),
    ],
)
def test_a_case_of_a_rung_that_lies_is_named(
    hit: list[object], miss: list[object], says: list[str]
) -> None:
    made = ladder(rung("host.memory.high", 85, hit=hit, miss=miss))
    assert list(failures([pack(made)])) == says


def test_times_stands_for_so_many_windows() -> None:
    made = ladder(
        rung(
            "host.memory.high",
            85,
            hit=[[{"memory_max": 99, "times": 3}]],
            miss=[[{"memory_max": 99, "times": 2}]],
        ),
        **{"for": "3"},
    )
    assert list(failures([pack(made)])) == []


def test_a_case_of_an_objective_that_lies_is_named() -> None:
    rates = objective().model_dump(by_alias=True)["rungs"]
    bad = {"availability": 0, "samples": 2, "times": 60}
    rates[0] |= {"hit": [[bad]], "miss": [[bad]]}
    assert list(failures([pack(objective(rungs=rates))])) == [
        "service.availability.page: miss case 1 does not miss"
    ]


def _story(hit: list[dict[str, object]], miss: list[dict[str, object]]) -> Pack:
    one, two = (
        ladder(rung(f"a.{name}", 85, hit=[HIT], miss=[MISS]), family=f"a.{name}")
        for name in ("one", "two")
    )
    return pack(one, two, correlation("ordered", "a.one", "a.two", hit=[hit], miss=[miss]))


def test_a_case_of_a_correlation_that_lies_is_named() -> None:
    right = [{"at": "1m", "rule": "a.one"}, {"at": "5m", "rule": "a.two"}]
    wrong = [{"at": "1m", "rule": "a.two"}, {"at": "5m", "rule": "a.one"}]
    assert list(failures([_story(right, wrong)])) == []
    assert list(failures([_story(wrong, right)])) == [
        "story.told: hit case 1 does not hit",
        "story.told: miss case 1 does not miss",
    ]
