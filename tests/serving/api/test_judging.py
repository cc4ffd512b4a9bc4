"""Requests share a matrix, and each gets its own answer."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from features.catalogue import VIEWS
from models.detector import MatrixError
from serving.api.judging import BLOCK, Judge
from serving.api.matrices import Given
from serving.api.problems import ProblemError
from serving.api.scorers import Served

VIEW = VIEWS["system.host_1m"]


class Doubling:
    """A scorer that is not warm, gives back its values, and counts how often it is asked."""

    warm = False
    asked = 0

    def peek(self, entity: Any, start: Any, values: Any) -> Any:
        self.asked += 1
        if (values == 666.0).any():
            raise MatrixError("beyond what can be looked at")
        return None, values[:, 0]


def given(*values: float) -> Given:
    """Windows of which only the first feature matters."""
    matrix = np.zeros((len(values), len(VIEW.names)))
    matrix[:, 0] = values
    return Given(["a"] * len(values), np.zeros(len(values), np.int64), matrix)


def ask(scorer: Any, *parts: Given) -> list[Any]:
    """What is said of parts that come at once."""
    served, judge = Served(VIEW, scorer=scorer), Judge()

    async def body() -> list[Any]:
        asked = (judge(served, part, explain=False) for part in parts)
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(body())


def test_what_comes_at_once_is_judged_at_once_and_told_apart() -> None:
    scorer = Doubling()
    said = ask(scorer, given(1.0), given(2.0, 3.0), given(4.0))
    assert [one.p.tolist() for one in said] == [[1.0], [2.0, 3.0], [4.0]]
    assert scorer.asked == 1


def test_a_bad_neighbour_harms_nobody() -> None:
    good, bad, other = ask(Doubling(), given(1.0), given(666.0), given(2.0))
    assert (good.p.tolist(), other.p.tolist()) == ([1.0], [2.0])
    assert isinstance(bad, ProblemError)
    assert bad.status == 422


def test_many_are_judged_in_blocks_and_answered_in_order() -> None:
    values, scorer = np.linspace(0.1, 0.9, BLOCK + 3), Doubling()
    (said,) = ask(scorer, given(*values))
    assert scorer.asked == 2
    assert said.p.tolist() == values.tolist()
    assert len(said.per_day) == len(said.crossed) == len(values)
    values[-2] = 666.0
    (bad,) = ask(Doubling(), given(*values))
    assert f"windows from {BLOCK} on" in bad.detail


@pytest.mark.parametrize("count", [1, 1_000])
def test_without_a_scorer_nothing_is_known(count: int) -> None:
    (said,) = ask(None, given(*range(count)))
    assert (said.warm, said.p.tolist()) == (False, [1.0] * count)
    assert np.isnan(said.per_day).all()
