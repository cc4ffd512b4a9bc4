"""Every rule's own cases, run: what must hit hits, what must miss misses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import polars as pl

from features.catalogue import VIEWS
from serving.rules.book import RuleBook
from serving.rules.breach import Breach
from serving.rules.correlate import CORRELATION, Correlator
from serving.rules.rule import (
    BurnRate,
    Correlation,
    Happening,
    Ladder,
    Objective,
    Pack,
    Rung,
)
from serving.severity import Severity

__all__ = ["failures"]

START = datetime(2026, 1, 1, tzinfo=UTC)
Case = Sequence[Mapping[str, float | None]]
Source: TypeAlias = tuple[Ladder | Objective | None, Rung | BurnRate | None]


def failures(packs: Sequence[Pack]) -> Iterator[str]:
    """A line for each case of a rule that does not do what it says."""
    sources: dict[str, Source] = {
        rung.id: (metric, rung)
        for pack in packs
        for metric in pack.metrics
        for rung in metric.rungs
    }
    for pack in packs:
        for metric in pack.metrics:
            for rung in metric.rungs:
                for word, number, case in _cases(rung):
                    if _reaches(metric, rung, case) is not (word == "hit"):
                        yield f"{rung.id}: {word} case {number} does not {word}"
        for correlation in pack.correlations:
            for word, number, happenings in _cases(correlation):
                told = [
                    any(breach.rule == correlation.id for breach in found)
                    for found in _happen(packs, happenings, sources)
                ]
                if (word == "hit" and not told[-1]) or (word == "miss" and any(told)):
                    yield f"{correlation.id}: {word} case {number} does not {word}"


def _cases(rule: Rung | BurnRate | Correlation) -> Iterator[tuple[str, int, Any]]:
    for word, cases in (("hit", rule.hit), ("miss", rule.miss)):
        for number, case in enumerate(cases, 1):
            yield word, number, case


def _reaches(metric: Ladder | Objective, rung: Rung | BurnRate, case: Case) -> bool:
    """Whether the last window of the case breaches the rung, or a higher one of its ladder."""
    view = VIEWS[metric.view]
    told = [window for one in case for window in [one] * int(one.get("times") or 1)]
    rows = [
        {
            "entity": "case",
            "start": START + number * view.every,
            "end": START + (number + 1) * view.every,
            **{name: value for name, value in window.items() if name != "times"},
        }
        for number, window in enumerate(told)
    ]
    windows = pl.DataFrame(rows, schema=dict(view.schema))
    alone = metric.model_copy(update={"only": "", "between": ""})
    kind = "ladders" if isinstance(metric, Ladder) else "objectives"
    pack = Pack(pack="case", about="").model_copy(update={kind: [alone]})
    found = RuleBook([pack]).breaches(view.name, windows)
    names = [candidate.id for candidate in metric.rungs]
    last = [breach for breach in found if breach.end == rows[-1]["end"]]
    return any(
        not breach.pending and names.index(breach.rule) >= names.index(rung.id) for breach in last
    )


def _happen(
    packs: Sequence[Pack], happenings: Sequence[Happening], sources: Mapping[str, Source]
) -> Iterator[list[Breach]]:
    """What correlations say after each happening of a case."""
    correlator = Correlator(packs)
    for happening in happenings:
        end = START + happening.at
        yield correlator.breaches([_breach(happening, end, sources)], at=end)


def _breach(happening: Happening, end: datetime, sources: Mapping[str, Source]) -> Breach:
    """The breach of a window that ends then; of a correlation, that an entity was told of."""
    metric, rung = sources.get(happening.rule, (None, None))
    every, labels = timedelta(minutes=1), {"entity": happening.entity}
    if metric is not None:
        view = VIEWS[metric.view]
        every = view.every
        parts = happening.entity.rsplit("|", len(view.entity) - 1)
        labels = {**dict(zip(view.entity, parts, strict=False)), **metric.labels}
    return Breach(
        rule=happening.rule,
        requirement="",
        view=metric.view if metric else CORRELATION,
        entity=happening.entity,
        start=end - every,
        end=end,
        since=end,
        feature=metric.feature if metric else "",
        operator=">=",
        limit=rung.limit if rung else 0.0,
        unit="",
        value=rung.limit if rung else 0.0,
        severity=Severity.INFO,
        family=metric.family if metric else happening.rule,
        summary="",
        labels=labels,
    )
