"""What is known of incidents reaches scorers once, at the end of a step, crash or not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from features.trading import SYMBOL_5S
from pipeline.scoring.scorer import EPOCH, MICROSECOND, Scorer
from pipeline.stream.cases import Case, heard, teach
from tests.streams import AFTER, START, loop_of, sources_of, write_events

SINCE = (START - EPOCH) // MICROSECOND


class Desk:
    """A sink that knows what it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.open: dict[str, int] = {}
        self.real: bool | None = None
        self.asked: list[Mapping[str, Mapping[str, int]]] = []
        self.fail = False

    def cases(
        self, connection: sa.Connection, held: Mapping[str, Mapping[str, int]], *, now: datetime
    ) -> dict[str, list[Case]]:
        self.asked.append({view: dict(some) for view, some in held.items()})
        (some,) = held.values() or ({},)
        fresh = [Case(name, since) for name, since in self.open.items() if name not in some]
        over = [Case(name, real=self.real) for name in some if name not in self.open]
        return {SYMBOL_5S.name: fresh + over} if fresh + over and held else {}

    def take(self, *given: Any, **more: Any) -> None:
        if self.fail:
            raise OSError("the disk is full")


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scorers count as warm without the thousands of windows that it takes."""
    monkeypatch.setattr(Scorer, "warm", property(lambda scorer: True))


def _loop(tmp_path: Path, desk: object) -> Any:
    if not (tmp_path / "events").exists():
        write_events(tmp_path / "events", {"trades": 400})
    return loop_of(
        tmp_path / "home", sources_of(tmp_path / "events", 100), views=[SYMBOL_5S], sink=desk
    )


@pytest.mark.usefixtures("warm")
def test_a_case_is_told_once_and_survives_a_restart(tmp_path: Path) -> None:
    desk = Desk()
    loop = _loop(tmp_path, desk)
    loop.step(AFTER)
    desk.open = {"symbol-1": SINCE}
    loop.step(AFTER)
    assert loop.followers[SYMBOL_5S.name].scorer.guard.incidents == desk.open
    loop.close()
    loop = _loop(tmp_path, desk)
    while loop.step(AFTER):
        pass
    guard = loop.followers[SYMBOL_5S.name].scorer.guard
    assert desk.asked[-1] == {SYMBOL_5S.name: desk.open}
    waiting = guard.waiting
    assert waiting > 0
    seen = loop.followers[SYMBOL_5S.name].scorer.history.seen
    desk.open, desk.real = {}, False
    assert loop.step(AFTER)
    scorer = loop.followers[SYMBOL_5S.name].scorer
    assert (scorer.guard.incidents, scorer.history.seen - seen) == ({}, waiting)
    loop.close()


@pytest.mark.usefixtures("warm")
def test_a_step_that_is_done_again_hears_what_it_heard_first(tmp_path: Path) -> None:
    desk = Desk()
    loop = _loop(tmp_path, desk)
    loop.step(AFTER)
    desk.open, desk.fail = {"symbol-1": SINCE}, True
    with pytest.raises(OSError, match="disk is full"):
        loop.step(AFTER)
    loop.close()
    desk.open, desk.fail = {}, False
    loop = _loop(tmp_path, desk)
    loop.step(AFTER)
    assert loop.followers[SYMBOL_5S.name].scorer.guard.incidents == {"symbol-1": SINCE}
    loop.close()


def test_a_scorer_that_is_cold_is_told_nothing(tmp_path: Path) -> None:
    desk = Desk()
    desk.open = {"symbol-1": SINCE}
    loop = _loop(tmp_path, desk)
    loop.step(AFTER)
    assert desk.asked == [{}]
    loop.close()


def test_a_sink_that_knows_nothing_is_not_asked(tmp_path: Path) -> None:
    loop = _loop(tmp_path, None)
    scorers = {SYMBOL_5S.name: Scorer(SYMBOL_5S)}
    assert heard(object(), loop.checkpoint, scorers, AFTER) == {}
    loop.close()


def test_a_model_that_was_taken_up_since_has_nothing_to_let_go() -> None:
    scorer = Scorer(SYMBOL_5S)
    teach(scorer, [Case("a", real=False)])
    teach(scorer, [Case("a", SINCE), Case("a", SINCE), Case("b", SINCE), Case("b")])
    assert scorer.guard.incidents == {"a": SINCE}
