"""Ours against a peer, measured side by side in one run."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any, NotRequired, TypedDict

__all__ = ["Result", "compare"]

# The clock ticks in well under a microsecond: at this length its noise is gone.
SHORTEST = 0.02
SCALE = {"us": 1e6, "ms": 1e3}


class Result(TypedDict):
    """One line of ``benchmarks/results.json``.

    ``ours`` and ``peer`` are in ``unit``; ``ratio`` is how many times faster than the peer ours
    is; ``parity`` is the largest absolute difference between the outputs. Peaks are of the whole
    process, its input included.
    """

    name: str
    ours: float
    peer: float
    peer_name: str
    unit: str
    ratio: float
    parity: float
    ours_peak_mb: NotRequired[float]
    peer_peak_mb: NotRequired[float]


def compare(
    name: str,
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    peer_name: str,
    unit: str,
    parity: float,
    *,
    rows: int = 1,
    peer_rows: int | None = None,
    repeats: int = 7,
) -> Result:
    """Time two functions in turn (ours, peer, ours, peer, ...) and compare their medians.

    Taking turns lets both see the same neighbours on a shared machine. Each measurement repeats
    its call until it takes at least 20 ms. One call of each, before, is not counted.

    Parameters
    ----------
    unit : str
        A rate such as ``"rows/s"``, or a time such as ``"us/call"`` or ``"ms/push"``.
    rows : int, default 1
        How many of the things that the unit names a call handles.
    peer_rows : int, optional
        The same for the peer, where it is too slow to handle as many.
    repeats : int, default 7
        Measurements of each, 5 or more.
    """
    measure, _, per = unit.partition("/")
    if per != "s" and measure not in SCALE:
        raise ValueError(f"unit is {unit!r}, expected one such as 'us/call' or 'rows/s'")
    if repeats < 5:
        raise ValueError(f"repeats is {repeats}, expected 5 or more")
    calls = [_calls(function) for function in (ours, peer)]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for side, function in enumerate((ours, peer)):
            times[side].append(_seconds(function, calls[side]))
    ours_s, peer_s = (
        statistics.median(side) / n
        for side, n in zip(times, (rows, peer_rows or rows), strict=True)
    )
    return Result(
        name=name,
        ours=1 / ours_s if per == "s" else ours_s * SCALE[measure],
        peer=1 / peer_s if per == "s" else peer_s * SCALE[measure],
        peer_name=peer_name,
        unit=unit,
        ratio=peer_s / ours_s,
        parity=parity,
    )


def _calls(function: Callable[[], Any]) -> int:
    function()
    return max(1, round(SHORTEST / _seconds(function, 1)))


def _seconds(function: Callable[[], Any], calls: int) -> float:
    """Return the seconds of one call, over so many in a row, garbage collection off."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(calls):
            function()
        return (time.perf_counter() - start) / calls
    finally:
        if collecting:
            gc.enable()
