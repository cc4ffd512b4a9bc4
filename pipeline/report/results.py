"""What a report says, as plain values: computed once, rendered twice, kept as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = [
    "Budget",
    "Call",
    "Cost",
    "Drift",
    "Estimate",
    "Level",
    "Quality",
    "Report",
    "Served",
    "SetResult",
    "Slice",
    "Verdict",
]


@dataclass(frozen=True)
class Estimate:
    """A figure and the bootstrap interval around it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Quality:
    """How well all contenders do by one metric.

    Parameters
    ----------
    metric : {"recall", "ap", "vus_pr"}
    budget : float or None
        False alerts allowed for each entity and day, for recall.
    contenders : dict of str to Estimate
        ``ours``, ``forest``, ``trivial``, ``random``.
    delay : dict of str to float or None
        Median seconds from an event's start to its first alert; None where nothing is seen.
    peer : str
        The better of ``forest`` and ``trivial``.
    lead : Estimate
        Ours less the peer's, on the same draws of the bootstrap.
    """

    metric: str
    budget: float | None
    contenders: dict[str, Estimate]
    delay: dict[str, float | None]
    peer: str
    lead: Estimate


@dataclass(frozen=True)
class Budget:
    """What became of one alert budget, its thresholds set by the past alone.

    Parameters
    ----------
    unit : {"alerts", "windows"}
        What the budget counts; alerts are windows of an entity that lie close together.
    asked, got : float
        A day of normal life.
    expected : float
        How many to expect in the days that were judged.
    ratio, low, high : float
        Got over asked, and its interval.
    state : {"kept", "missed", "not measurable"}
    why : str
        What makes it not measurable, else empty.
    recall : float or None
        Share of labelled stretches in the days judged that hold an alerting window.
    delay : float or None
        Median seconds from the start of a stretch to the end of its first alerting window.

    Source: `models.walk_forward`.
    """

    unit: str
    asked: float
    expected: float
    got: float
    ratio: float
    low: float
    high: float
    state: str
    why: str
    recall: float | None
    delay: float | None


@dataclass(frozen=True)
class Level:
    """Share of normal rows with a probability at or below a level; calibrated, it is the level."""

    level: float
    share: float


@dataclass(frozen=True)
class Slice:
    """Quantiles of -log10(p) of normal windows in one part of the time, the parts equally full."""

    start: str
    median: float
    p90: float
    p99: float


@dataclass(frozen=True)
class Drift:
    """Whether normal scores move.

    Parameters
    ----------
    slices : list of Slice
    level : float
    first, last : float
        Share of normal windows with p at or below the level, in the first and the last third.
    drifts : bool
    """

    slices: list[Slice]
    level: float
    first: float
    last: float
    drifts: bool


@dataclass(frozen=True)
class Call:
    """One moment, judged.

    Parameters
    ----------
    kind : {"found", "missed", "false alarm", "quiet"}
        ``quiet`` is a normal moment that came near to an alert and was none.
    entity, start : str
        Whose, and when in UTC; for rows the number of the row, and nothing.
    p, per_day : float
        Of its rarest window; ``per_day`` is None for rows.
    reasons : list of str
        What made it unusual.
    labelled : tuple of two floats or None
        The labelled stretch, in minutes from ``start``.
    minutes, rarity : list of float
        The trace around it: minutes from ``start``, and -log10(p).
    threshold : float or None
        The rarity at which a window alerts.
    """

    kind: str
    entity: str
    start: str
    p: float
    per_day: float | None
    reasons: list[str]
    labelled: tuple[float, float] | None = None
    minutes: list[float] = field(default_factory=list)
    rarity: list[float] = field(default_factory=list)
    threshold: float | None = None


@dataclass(frozen=True)
class Cost:
    """What judging took: seconds for all contenders, and the greatest memory so far in MB."""

    seconds: float
    memory_mb: float


@dataclass(frozen=True)
class SetResult:
    """One data set, judged.

    Parameters
    ----------
    name, layout, stream, view : str
        ``view`` is empty where none is used.
    digest : str
        First 16 digits of the SHA-256 of its files: the version of the data.
    begin, end : str
        First and last time in UTC; empty for rows.
    rows, normal, entities, labelled : int
        Windows, samples or rows judged; how many of them are normal; entities; labelled
        stretches (events, series) or rows.
    days : float or None
        Days of normal life: of all entities together.
    cold : float
        Share of windows about which nothing was claimed.
    """

    name: str
    layout: str
    stream: str
    view: str
    digest: str
    begin: str
    end: str
    rows: int
    normal: int
    entities: int
    labelled: int
    days: float | None
    cold: float
    quality: list[Quality]
    budgets: list[Budget]
    calibration: list[Level]
    drift: Drift | None
    calls: list[Call]
    cost: Cost | None = None


@dataclass(frozen=True)
class Served:
    """The model of one view of the lake.

    Parameters
    ----------
    view : str
    lake_version : int
        The newest version of the view's windows.
    state : str
        What serves it: see `pipeline.lifecycle.champion`.
    model_version : int or None
        The champion's version in the registry.
    learned_from : int or None
        The version of the windows that it learned from.
    """

    view: str
    lake_version: int
    state: str
    model_version: int | None
    learned_from: int | None


@dataclass(frozen=True)
class Verdict:
    """What the figures mean, by rules.

    Parameters
    ----------
    headline : str
        One paragraph.
    good, bad, next : list of str
        What is good, what is bad, what to do.
    tally : dict of str to int
        The counts that the sentences name.
    """

    headline: str
    good: list[str]
    bad: list[str]
    next: list[str]
    tally: dict[str, int]


@dataclass(frozen=True)
class Report:
    """All that a report says.

    Parameters
    ----------
    versions : dict of str to str
        Of the code and of the packages that decide the figures.
    seed : int
    rules : dict of str to float
        The constants by which it was judged.
    sets : list of SetResult
    verdict : Verdict
    served : list of Served
        The views of the lake, where there is one.
    """

    versions: dict[str, str]
    seed: int
    rules: dict[str, float]
    sets: list[SetResult]
    verdict: Verdict
    served: list[Served] = field(default_factory=list)

    def fields(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)
