"""The performance report: where measures are going, when they reach a limit, what could be saved.

What is looked at are the features of machines and services that rules have limits for, in the
windows of the lake. It says what follows from them and leaves the decision to people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from models.trend import Trend, trend
from pipeline.lake import Lake
from serving.rules.rule import Ladder, Pack

__all__ = ["opportunities", "performance", "performance_text", "trends", "utilisation"]

Row = dict[str, Any]
KINDS = "system.", "orders.", "market_data."
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DAYS = 7.0
"""From so many days on a value is the mean of a day, else of an hour: nights are not a trend."""
SOON, LONG = 14.0, 60.0
"""Days before a limit at which something is urgent, and is worth a word."""
OFTEN, IDLE = 0.05, 0.1
"""Above its first limit for this share of time something is short; always below this share of
it, it is idle."""


@dataclass(frozen=True)
class Measure:
    """A feature whose windows are bad above a limit: the first rung, and the last."""

    view: str
    feature: str
    unit: str
    first: float
    last: float
    advice: str


def performance(
    lake: Lake, packs: Iterable[Pack], *, until: datetime, days: float = 14.0
) -> dict[str, Any]:
    """The report over the days before a time, as JSON values.

    Returns
    -------
    dict
        ``since``, ``until``; ``trends`` (PA-H1) with the days left until a limit (PA-H2),
        ``utilisation`` (PA-H3) and ``opportunities`` (PA-H4), the gravest first.
    """
    since = until - days * DAY
    measures = list(_measures(packs))
    views = set(lake.views()) & {one.view for one in measures}
    windows = {view: _windows(lake, view, measures, since, until) for view in sorted(views)}
    moving, used = trends(windows, measures), utilisation(windows, measures)
    return {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "trends": moving,
        "utilisation": used,
        "opportunities": opportunities(moving, used),
    }


def trends(windows: Mapping[str, pl.DataFrame], measures: Sequence[Measure]) -> list[Row]:
    """Of each entity and measure: where it stands, its change a day, when it reaches its limit."""
    found: list[Row] = []
    for one, entity, rows in _each(windows, measures):
        span = (rows["end"].to_list()[-1] - rows["start"].to_list()[0]) / DAY
        each = DAY if span >= DAYS else HOUR
        grouped = rows.group_by_dynamic("start", every=each).agg(pl.col(one.feature).mean())
        at = grouped["start"].dt.epoch("us").to_numpy() / (DAY / timedelta(microseconds=1))
        line = trend(at, grouped[one.feature].to_numpy())
        if line is not None:
            found.append(_about(one, entity) | asdict(line) | _left(line, one.last))
    return found


def utilisation(windows: Mapping[str, pl.DataFrame], measures: Sequence[Measure]) -> list[Row]:
    """Of each entity and measure: its median, its 95th percentile, how long above its limit."""
    return [
        _about(one, entity)
        | {
            "median": values.median(),
            "p95": values.quantile(0.95, "linear"),
            "above": (values > one.first).mean(),
        }
        for one, entity, rows in _each(windows, measures)
        for values in (rows[one.feature],)
    ]


def opportunities(moving: Sequence[Row], used: Sequence[Row]) -> list[Row]:
    """What could be done, the gravest first; each says why."""
    found: list[Row] = []
    for row in moving:
        if (left := row["days_left"]) is not None and left <= LONG:
            urgent = 3.0 if left <= SOON else 2.0
            change = f"rises {row['slope']:.3g} {row['unit']} a day"
            why = f"{change} and is at {row['limit']:g} in {left:.0f} days"
            found.append(_wish("make room", row, urgent + 1 / (1 + left), why))
    for row in used:
        if row["above"] >= OFTEN:
            why = f"above {row['first']:g} {row['unit']} for {row['above']:.0%} of the time"
            found.append(_wish("relieve", row, 1.0 + row["above"], why))
        elif row["unit"] == "%" and row["p95"] < IDLE * row["first"]:
            why = f"below {row['p95']:.2g} {row['unit']} for 95 % of the time"
            found.append(_wish("save", row, 0.0, why))
    return sorted(found, key=lambda one: (-one["weight"], one["view"], one["entity"]))


def performance_text(given: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = ["{since:.10} to {until:.10}".format_map(given), "", "what could be done"]
    told = "  {what:<10} {entity}: {feature} {why}. {advice}".format_map
    lines += list(map(told, given["opportunities"])) or ["  nothing stands out"]
    lines += ["", "trends, a day, with 95 % confidence"]
    word = {1: "rises", 0: "no trend", -1: "falls"}
    shown = "  {word:<9} {entity}: {feature} {level:.4g} {unit}, {slope:+.3g}"
    shown += " ({low:+.3g} to {high:+.3g})"
    lines += [shown.format_map(row | {"word": word[row["direction"]]}) for row in given["trends"]]
    lines += ["", "use: median, 95th percentile, share of time above the first limit"]
    used = "  {entity}: {feature} {median:.4g} {p95:.4g} {unit}, {above:.0%} above {first:g}"
    return "\n".join([*lines, *map(used.format_map, given["utilisation"])])


def _measures(packs: Iterable[Pack]) -> Iterator[Measure]:
    """What rules have limits for that bear no condition; of several ladders the first."""
    seen: set[tuple[str, str]] = set()
    for ladder in (one for pack in packs for one in pack.ladders):
        key = ladder.view, ladder.feature
        if key in seen or not ladder.view.startswith(KINDS) or not _plainly_bad_above(ladder):
            continue
        seen.add(key)
        limits = [rung.limit for rung in ladder.rungs]
        yield Measure(*key, ladder.unit, limits[0], limits[-1], ladder.runbook)


def _plainly_bad_above(ladder: Ladder) -> bool:
    upward = ladder.operator_of(ladder.rungs[0]) in (">", ">=")
    special = ladder.silent or ladder.also or ladder.only or ladder.between
    return upward and not special and ladder.rungs[0].limit > 0


def _windows(
    lake: Lake, view: str, measures: Sequence[Measure], since: datetime, until: datetime
) -> pl.DataFrame:
    rows = lake.scan(view, since, until)
    # A feature that is new is not in an old lake.
    known = rows.collect_schema().names()
    names = [one.feature for one in measures if one.view == view and one.feature in known]
    keys = pl.col("entity", "start", "end")
    return rows.select(keys, pl.col(names).fill_nan(None)).sort("entity", "start").collect()


def _each(
    windows: Mapping[str, pl.DataFrame], measures: Sequence[Measure]
) -> Iterator[tuple[Measure, str, pl.DataFrame]]:
    """Every measure of every entity that has values of it."""
    for one in measures:
        table = windows.get(one.view)
        if table is not None and one.feature in table.columns:
            known = table.select("entity", "start", "end", one.feature).drop_nulls()
            for (entity,), rows in known.group_by(["entity"], maintain_order=True):
                yield one, str(entity), rows


def _about(one: Measure, entity: str) -> Row:
    names = {"view": one.view, "entity": entity, "feature": one.feature, "unit": one.unit}
    return names | {"first": one.first, "limit": one.last, "advice": one.advice}


def _left(line: Trend, limit: float) -> Row:
    reached = line.reaches(limit)
    soonest, latest = reached or (None, None)
    return {"direction": line.direction, "days_left": soonest, "days_left_at_most": latest}


def _wish(what: str, row: Row, weight: float, why: str) -> Row:
    kept = {name: row[name] for name in ("view", "entity", "feature", "advice")}
    return {"what": what, **kept, "why": why, "weight": weight}
