"""What a correlation remembers of a group."""

from __future__ import annotations

import json
from datetime import timedelta

from serving.rules.episodes import Group
from tests.serving.rules.ruling import MINUTE, START, breach, correlation

BOTH = correlation("ordered", "a.one", "a.two", within="1h")


def test_windows_in_a_row_are_one_episode_and_a_gap_begins_another() -> None:
    group = Group()
    for minute in (1, 2, 3, 9):
        group.take(BOTH, breach("a.one", minute), [0])
    told = [(e.start - START, e.end - START) for e in group.steps[0]]
    assert told == [(timedelta(0), 3 * MINUTE), (8 * MINUTE, 9 * MINUTE)]


def test_of_many_episodes_the_oldest_and_the_newest_are_kept() -> None:
    group = Group()
    for number in range(20):
        group.take(BOTH, breach("a.one", 1 + 2 * number), [0])
    ends = [(e.end - START) / MINUTE for e in group.steps[0]]
    assert ends == [1, 27, 29, 31, 33, 35, 37, 39]


def test_what_is_too_old_for_any_chain_is_dropped() -> None:
    group = Group()
    group.take(BOTH, breach("a.one", 1), [0])
    group.take(BOTH, breach("a.one", 100), [0])
    assert len(group.steps[0]) == 1


def test_a_count_remembers_no_more_than_it_needs() -> None:
    few = correlation("count", "a.one", at_least=3, within="1d")
    group = Group()
    for minute in range(1, 500):
        group.take(few, breach("a.one", minute), [0])
    assert len(group.steps[0]) == 200


def test_one_breach_cannot_be_two_steps() -> None:
    twice = correlation("ordered", "a.one", "a.one", within="1h")
    group = Group()
    assert group.take(twice, breach("a.one", 1), [0, 1]) == ()
    assert len(group.take(twice, breach("a.one", 9), [0, 1])) == 2


def test_its_state_is_json_and_all_there_is_of_it() -> None:
    group = Group()
    group.take(BOTH, breach("a.one", 1), [0])
    group.take(BOTH, breach("a.two", 2), [1])
    group.since = group.last = START
    assert Group.of_state(json.loads(json.dumps(group.state()))) == group
    assert Group().newest() is None
