"""The static limits that windows cross: found as a matrix, put into words only where crossed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from features.view import FeatureView
from serving.api.matrices import Given
from serving.rules.rule import COMPARE, Ladder

__all__ = ["Limit", "crossings", "limits"]

MINUTE = 60_000_000
DAY = 1_440


class Limit(TypedDict):
    """A static limit that a window crosses."""

    rule: str
    severity: str
    feature: str
    operator: str
    limit: float
    value: float
    held: str
    """How many of how many windows must cross it before it is a breach."""
    words: str


def crossings(view: FeatureView, ladders: Sequence[Ladder], given: Given) -> NDArray[np.int8]:
    """How many rungs of each ladder each window crosses, shape (n windows, k ladders).

    Limits climb, so a window that crosses three crosses the first three.
    """
    names, values = view.names, given.values
    found = np.zeros((len(values), len(ladders)), np.int8)
    for count, ladder in zip(found.T, ladders, strict=True):
        column = values[:, names.index(ladder.feature)]
        for rung in ladder.rungs:
            # NaN compares false: what is unknown crosses nothing.
            crossed = COMPARE[ladder.operator_of(rung)](column, rung.limit)
            if not crossed.any():
                break
            count += crossed
        if count.any():
            for also in ladder.also:
                count *= COMPARE[also.operator](values[:, names.index(also.feature)], also.limit)
            count *= _concerned(ladder, given)
    return found


def limits(
    view: FeatureView, ladders: Sequence[Ladder], given: Given, crossed: NDArray[np.int8]
) -> list[list[Limit]]:
    """For each window the highest rung of each ladder that it crosses.

    Parameters
    ----------
    crossed : ndarray
        From `crossings`.
    """
    found: list[list[Limit]] = [[] for _ in crossed]
    for row, column in np.argwhere(crossed).tolist():
        found[row].append(_limit(view, ladders[column], crossed[row, column] - 1, given, row))
    return found


def _concerned(ladder: Ladder, given: Given) -> NDArray[np.bool_]:
    """Which windows a ladder is about: by their entity and the time of day at which they began."""
    concerned = np.ones(len(given.entity), bool)
    if ladder.only:
        concerned &= [re.fullmatch(ladder.only, name) is not None for name in given.entity]
    if ladder.between:
        begin, end = (int(at[:2]) * 60 + int(at[3:]) for at in ladder.between.split("-"))
        at = given.start // MINUTE % DAY
        concerned &= (begin <= at) & (at < end)
    return concerned


def _limit(view: FeatureView, ladder: Ladder, rung_at: int, given: Given, row: int) -> Limit:
    rung, entity = ladder.rungs[rung_at], given.entity[row]
    words: dict[str, Any] = dict(zip(view.names, given.values[row].tolist(), strict=True))
    value = words[ladder.feature]
    words.update(zip(view.entity, entity.rsplit("|", len(view.entity) - 1), strict=False))
    words.update(entity=entity, value=value, limit=rung.limit, unit=ladder.unit)
    said = rung.summary or ladder.summary
    some, of = rung.hold or ladder.hold
    return {
        "rule": rung.id,
        "severity": rung.severity.value,
        "feature": ladder.feature,
        "operator": ladder.operator_of(rung),
        "limit": rung.limit,
        "value": value,
        "held": f"{some} of {of}",
        "words": said.format_map(words),
    }
