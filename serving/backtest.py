"""The whole configuration over the lake: what it would have told, on which days, by which arms.

Rules, correlations, thresholds, grouping, inhibitions and silences judge the windows and the
scores that the lake has, through the very engine that judges live ones, in a store of its own
that is thrown away, with the windows' own time. Nobody acknowledges anything, no playbook runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import sqlalchemy as sa

from pipeline.config import Config
from pipeline.database import open_engine, reading
from pipeline.lake import Lake
from serving.alerts.engine import AlertEngine
from serving.alerts.thresholds import ALERTS_PER_DAY, Thresholds
from serving.past import Past
from serving.rules.actors import Actors
from serving.rules.book import RuleBook
from serving.rules.correlate import Correlator, inhibitions
from serving.rules.load import PACKS, load_packs
from serving.settings import settings_of
from serving.severity import Severity
from serving.store.migrate import migrate
from serving.store.tables import alerts, incidents, outbox, silences

__all__ = [
    "STEP",
    "backtest",
    "backtest_text",
    "compare",
    "engine_of",
    "silences_of",
]

STEP = timedelta(minutes=1)
"""What is judged at once, as a live stream would: windows that ended in one minute."""
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Rows = list[dict[str, Any]]


def engine_of(config: Config, lake: Lake, store: sa.Engine, *, until: datetime) -> AlertEngine:
    """The alert engine of a configuration as it would be live, but without playbooks.

    Parameters
    ----------
    lake : Lake
        How rare a window must be follows from its fortnight before ``until``.
    store : sqlalchemy.Engine
        Verdicts in it have moved that, as they have for the live engine; it also knows who is
        behind what.
    until : datetime
        Aware UTC.

    Raises
    ------
    ConfigError, RuleError
        The configuration, or a pack that it names, cannot be used.
    """
    settings = settings_of(config)
    packs = load_packs([PACKS, *settings.rules])
    with reading(store) as connection:
        bars = Thresholds(lake, settings.budgets, until=until).bars(connection, now=until)
        actors = Actors.of(connection)
    return AlertEngine(
        RuleBook(packs),
        Correlator(packs, actor=actors),
        thresholds={view: bar.level for view, bar in bars.items()},
        routes=settings.routes,
        inhibitions=[*inhibitions(packs), *settings.inhibitions],
    )


def silences_of(engine: sa.Engine) -> Rows:
    """The silences of a store, those that are over too: they were in force in their time."""
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(sa.select(silences)).mappings()]


def backtest(
    engine: AlertEngine,
    past: Sequence[Past],
    *,
    silenced: Rows | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """Judge the past.

    Parameters
    ----------
    engine : AlertEngine
        Fresh: it remembers what it judges.
    past : sequence of Past
    silenced : list of dict, optional
        Rows of silences.
    progress : callable
        Told the share that is done.

    Returns
    -------
    dict
        ``since``, ``until``, ``days``, ``windows``, ``windows_per_second``, ``alerts`` and
        ``incidents`` with counts, a day, by severity, arm and view, ``pages`` with each that
        would have been sent; times in ISO format.
    """
    ended = [one.windows["end"] for one in past if len(one.windows)]
    if not ended:
        return {"windows": 0}
    begun = perf_counter()
    first: datetime = min(ends[0] for ends in ended)
    last: datetime = max(ends[-1] for ends in ended)
    start = first - (first - EPOCH) % STEP - STEP
    times = [start + number * STEP for number in range(-((start - last) // STEP) + 1)]
    levels = [engine.thresholds.get(one.view.name, ALERTS_PER_DAY) for one in past]
    parts = zip(
        *(one.steps(times, level) for one, level in zip(past, levels, strict=True)), strict=True
    )
    store = open_engine("sqlite://")
    migrate(store)
    with store.begin() as connection:
        if silenced:
            connection.execute(silences.insert(), silenced)
        for now, closed in zip(times[1:], parts, strict=True):
            for one in closed:
                if len(one.windows):
                    given = one.view, one.windows, one.scores, one.explained
                    engine.take(connection, *given, now=now)
            engine.tick(connection, now=now)
            progress((now - start) / (times[-1] - start))
        found = _found(connection)
    windows = sum(len(one.windows) for one in past)
    days = max((last - first) / DAY, STEP / DAY)
    store.dispose()
    return {
        "since": first.isoformat(),
        "until": last.isoformat(),
        "days": days,
        "windows": windows,
        "windows_per_second": windows / (perf_counter() - begun),
        **_summary(found, days),
    }


def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Which pages only one of two configurations would have sent, over the same past."""

    def pages(result: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
        return {
            (page["alert"], page["severity"]): page
            for page in result.get("pages", {}).get("list", [])
        }

    mine, yours = pages(one), pages(other)
    return {
        "only_first": [page for key, page in mine.items() if key not in yours],
        "only_second": [page for key, page in yours.items() if key not in mine],
        "both": len(mine.keys() & yours.keys()),
    }


def backtest_text(result: Mapping[str, Any]) -> str:
    """The same for people."""
    if not result["windows"]:
        return "the lake has no windows of that time"
    told = ["{since:.16} to {until:.16}: {windows:,} windows".format_map(result)]
    told[0] += f", {result['windows_per_second']:,.0f} a second"
    for name in ("alerts", "incidents", "pages"):
        told.append("{count:>7,} {0:<10}{a_day:>9.2f} a day".format(name, **result[name]))
    alerts_found = result["alerts"]
    for name in ("by_severity", "by_view", "by_arm"):
        told += [f"{count:>7,}   {what}" for what, count in list(alerts_found[name].items())[:10]]
    line = "{at:.16}  {severity:<9}{title}: {why}".format_map
    told += ["would have paged:", *(line(page) for page in result["pages"]["list"][:50])]
    if "pages_differ" in result:
        differ = result["pages_differ"]
        told += [f"paged by both: {differ['both']}", "paged by the first alone:"]
        told += map(line, differ["only_first"])
        told += ["paged by the other alone:", *map(line, differ["only_second"])]
    return "\n".join(told)


def _found(connection: sa.Connection) -> dict[str, Rows]:
    return {
        table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
        for table in (alerts, incidents, outbox)
    }


def _summary(found: Mapping[str, Rows], days: float) -> dict[str, Any]:
    fired = [row for row in found["alerts"] if row["fired_at"] is not None]
    pages = list(_pages(found))
    arms = Counter(arm for row in fired for arm in row["arms"])
    return {
        "alerts": {
            "count": len(fired),
            "a_day": len(fired) / days,
            "by_severity": dict(Counter(row["severity"] for row in fired)),
            "by_arm": dict(arms.most_common()),
            "by_view": dict(Counter(row["view"] for row in fired)),
            "hints": len(found["alerts"]) - len(fired),
            "not_told": sum(bool(row["suppressed"]) for row in fired),
        },
        "incidents": {"count": len(found["incidents"]), "a_day": len(found["incidents"]) / days},
        "pages": {"count": len(pages), "a_day": len(pages) / days, "list": pages},
    }


def _pages(found: Mapping[str, Rows]) -> Iterator[dict[str, Any]]:
    """What would have woken somebody: each incident once for each grave severity it came to."""
    known = {row["id"]: row for row in found["alerts"]}
    seen: set[tuple[str, str]] = set()
    for row in sorted(found["outbox"], key=lambda row: (row["created_at"], row["id"])):
        severity = row["payload"]["severity"]
        if row["action"] != "trigger" or Severity(severity) < Severity.HIGH:
            continue
        if (key := (row["incident"], severity)) in seen:
            continue
        seen.add(key)
        alert = known[row["alert"]]
        yield {
            "at": row["created_at"].isoformat(),
            "severity": severity,
            "title": row["payload"]["title"],
            "why": row["payload"]["why"],
            "arms": row["payload"]["arms"],
            "view": alert["view"],
            "entity": alert["entity"],
            "family": alert["family"],
            "alert": alert["id"],
            "incident": row["incident"],
        }
