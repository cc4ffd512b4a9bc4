"""Every rung's own cases, run: what must hit hits, what must miss misses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import polars as pl

from features.catalogue import VIEWS
from serving.rules.book import RuleBook
from serving.rules.rule import Ladder, Pack, Rung

__all__ = ["failures"]

START = datetime(2026, 1, 1, tzinfo=UTC)
Case = Sequence[dict[str, float | None]]


def failures(packs: Sequence[Pack]) -> Iterator[str]:
    """A line for each case of a threshold that does not do what it says."""
    for pack in packs:
        for ladder in pack.ladders:
            for rung in ladder.rungs:
                for wanted, cases in ((True, rung.hit), (False, rung.miss)):
                    for number, case in enumerate(cases, 1):
                        if _reaches(ladder, rung, case) is not wanted:
                            word = "hit" if wanted else "miss"
                            yield f"{rung.id}: {word} case {number} does not {word}"


def _reaches(ladder: Ladder, rung: Rung, case: Case) -> bool:
    """Whether the last window of the case breaches the rung, or a higher one of its ladder."""
    view = VIEWS[ladder.view]
    rows = [
        {
            "entity": "case",
            "start": START + number * view.every,
            "end": START + (number + 1) * view.every,
            **window,
        }
        for number, window in enumerate(case)
    ]
    windows = pl.DataFrame(rows, schema=dict(view.schema))
    found = RuleBook([Pack(pack="case", about="", ladders=[ladder])]).breaches(view.name, windows)
    names = [candidate.id for candidate in ladder.rungs]
    last = [breach for breach in found if breach.end == rows[-1]["end"]]
    return any(
        not breach.pending and names.index(breach.rule) >= names.index(rung.id) for breach in last
    )
