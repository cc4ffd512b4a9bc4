"""Sources in turn: the one ahead waits, the one that fails is left alone for a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Event

import polars as pl
import pytest

from features.trading import TRADES
from pipeline.sources.source import Batch, Position, SourceError
from pipeline.stream.intake import DIVIDED_AGAIN, FIRST_WAIT, LONGEST_WAIT, Intake
from tests.streams import AFTER, made_up

ROWS = made_up(TRADES, 40)


class Listed:
    """A source of frames in a list; an exception in it is raised once."""

    stream = TRADES

    def __init__(self, name: str, *given: pl.DataFrame | Exception | None) -> None:
        self.name = name
        self.given = list(given)

    def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
        at = 0 if position is None else position["at"]
        if at >= len(self.given):
            return None
        found = self.given[at]
        if isinstance(found, Exception):
            self.given.pop(at)
            raise found
        return None if found is None else Batch(found, Position(at=at + 1))

    def close(self) -> None: ...


class Hanging(Listed):
    """A source whose second answer comes when it is let go."""

    def __init__(self, *given: pl.DataFrame | Exception | None) -> None:
        super().__init__("hanging", *given)
        self.reads, self.let_go = 0, Event()

    def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
        self.reads += 1
        if self.reads == 2:
            assert self.let_go.wait(300)
        return super().read(position, until=until)


class Topic:
    """Parts that are found one question after another; an exception is raised once."""

    name, stream = "t", TRADES

    def __init__(self, *answers: list[Listed] | Exception) -> None:
        self.answers = list(answers)

    def parts(self) -> list[Listed]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def intake(*sources: Listed | Topic) -> tuple[Intake, list[tuple[object, ...]]]:
    said: list[tuple[object, ...]] = []
    made = Intake(
        sources, future_tolerance=timedelta(seconds=10), report=lambda *what: said.append(what)
    )
    made.restore({})
    return made, said


def step(made: Intake, now: datetime = AFTER, *, all_of_it: bool = False) -> list[int]:
    taken = made.take(made.read(now), now, all_of_it=all_of_it)
    return taken.events["trades"]["id"].to_list() if taken.events else []


def test_one_source_is_passed_on_as_it_is() -> None:
    made, _ = intake(Listed("a", ROWS[:3][::-1], ROWS[3:5]))
    assert (step(made), step(made), step(made)) == ([2, 1, 0], [3, 4], [])


def test_the_source_that_is_ahead_waits_for_the_other() -> None:
    a, b = Listed("a", ROWS[0:20:2]), Listed("b", ROWS[1:9:2], ROWS[9:21:2])
    made, _ = intake(a, b)
    first = step(made)
    newest = ROWS["ts"][1:9:2].max()
    assert first == sorted(first)
    assert set(first) >= set(range(1, 9, 2))
    assert all(ROWS["ts"][i] <= newest for i in first)
    assert made.holding
    rest = step(made) + step(made) + step(made)
    assert not made.holding
    assert sorted(first + rest) == [*range(20)]


def test_what_waits_survives_a_checkpoint() -> None:
    a, b = Listed("a", ROWS[0:20:2]), Listed("b", ROWS[1:9:2], ROWS[9:21:2])
    made, _ = intake(a, b)
    first = step(made)
    other, _ = intake(a, b)
    other.restore({name: lane.state for name, lane in made.lanes.items()})
    assert other.holding
    assert sorted(first + step(other) + step(other) + step(other)) == [*range(20)]


def test_a_source_without_rows_holds_up_nobody() -> None:
    made, _ = intake(Listed("a", ROWS[:5]), Listed("b"))
    assert step(made) == [0, 1, 2, 3, 4]


def test_at_the_end_nothing_is_held_back() -> None:
    made, _ = intake(Listed("a", ROWS[:20]), Listed("b", ROWS[20:21]))
    batches = made.read(AFTER)
    assert len(made.take(batches, AFTER, all_of_it=True).events["trades"]) == 21
    assert not made.holding


def test_waits_double_up_to_a_limit_and_end_with_success() -> None:
    made, said = intake(Listed("a", *[SourceError("down")] * 12, ROWS[:2]))
    now, waits = AFTER, []
    for _ in range(12):
        assert step(made, now) == []
        retry = said[-1][3]
        assert isinstance(retry, datetime)
        waits.append(retry - now)
        assert step(made, retry - timedelta(milliseconds=1)) == []
        now = retry
    assert step(made, now) == [0, 1]
    assert FIRST_WAIT / 2 <= waits[0] <= FIRST_WAIT
    assert all(w <= LONGEST_WAIT for w in waits)
    assert waits[-1] >= LONGEST_WAIT / 2
    assert said[-1] == ("a", None, 0, None)


def test_whatever_a_source_raises_the_others_go_on() -> None:
    made, said = intake(Listed("a", ZeroDivisionError("odd")), Listed("b", ROWS[:2]))
    assert step(made) == [0, 1]
    assert said[0][:2] == ("a", "ZeroDivisionError: odd")


def test_a_source_that_is_slow_to_fail_again_holds_up_nobody_and_is_heard_later() -> None:
    slow = Hanging(SourceError("down"), ROWS[5:7], ROWS[7:8])
    made, said = intake(slow, Listed("a", *(ROWS[i : i + 1] for i in range(4))))
    later = AFTER + LONGEST_WAIT
    assert (step(made), step(made, later), step(made, later)) == ([0], [1], [2])
    made.restore({name: lane.state for name, lane in made.lanes.items()})
    assert step(made, later) == [3]
    assert (slow.reads, [what[:2] for what in said]) == (2, [("hanging", "down")])
    slow.let_go.set()
    found: list[int] = []
    while not found:
        found = step(made, later)
    assert (found, step(made, later)) == ([5, 6], [7])
    assert said[-1] == ("hanging", None, 0, None)
    made.close()


def test_two_sources_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="expected different names"):
        intake(Listed("a"), Listed("a"))


def test_a_step_of_a_source_that_is_gone_cannot_be_done_again() -> None:
    made, _ = intake(Listed("a"))
    with pytest.raises(SourceError, match="source b is not configured"):
        made.again({"b": {"at": 1}})
    with pytest.raises(SourceError, match="has no rows up to"):
        made.again({"a": {"at": 1}})


def test_a_topic_that_cannot_be_asked_is_asked_again_while_the_others_go_on() -> None:
    topic = Topic(SourceError("broker down"), [Listed("t.0", ROWS[3:5])])
    made, said = intake(Listed("a", ROWS[:1], ROWS[1:3]), topic)
    assert step(made) == [0]
    assert step(made) == [1, 2]
    later = AFTER + LONGEST_WAIT
    assert step(made, later) == [3, 4]
    assert [what[:3] for what in said] == [("t", "broker down", 1), ("t", None, 0)]


def test_a_part_that_is_new_joins_and_the_others_stay_where_they_are() -> None:
    first, second = Listed("t.0", ROWS[:2], ROWS[4:6]), Listed("t.1", ROWS[2:4])
    made, _ = intake(Topic([first], [Listed("t.0"), second]))
    assert step(made) == [0, 1]
    assert made.read(AFTER).keys() == {"t.0"}
    assert made.read(AFTER + DIVIDED_AGAIN).keys() == {"t.0", "t.1"}


def test_a_killed_step_of_a_part_is_done_again_once_the_topic_can_be_asked() -> None:
    position = Position(at=1)
    made, _ = intake(Topic(SourceError("broker down"), [Listed("t.0", ROWS[:2])]))
    with pytest.raises(SourceError, match="broker down"):
        made.again({"t.0": position})
    assert made.again({"t.0": position})["t.0"].events["id"].to_list() == [0, 1]
