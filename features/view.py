"""Features and the views that group them: what is measured in each window of a stream.

A feature is a function that returns a Polars expression. Its name is the column, its parameters
are what it reads, its docstring is the definition. The same expression runs in a notebook, over
history and on the live stream.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Literal

import polars as pl

from features.stream import TIME, Stream

__all__ = [
    "SILENCE",
    "Derived",
    "Direction",
    "Feature",
    "FeatureView",
    "Scale",
    "collect",
    "derived",
    "derived_from_text",
    "feature",
]

Direction = Literal["high", "low", "both"]
Scale = Literal["level", "ratio"]
Build = Callable[..., pl.Expr]


@dataclass(frozen=True)
class Derived:
    """A column computed for each event, in the stream's total order, for features to read."""

    name: str
    definition: str
    reads: tuple[str, ...]
    build: Build = field(repr=False, compare=False)
    from_text: bool = field(default=False, kw_only=True)

    def expression(self) -> pl.Expr:
        """The expression over the columns that the function's parameters name."""
        return self.build(*(pl.col(name) for name in self.reads)).alias(self.name)


@dataclass(frozen=True)
class Feature(Derived):
    """A number that describes a window.

    Parameters
    ----------
    unit : str
        Unit of the value, for people: ``"trades"``, ``"%"``, ``"ms"``.
    direction : {"high", "low", "both"}
        On which side an unusual value is a cause for concern.
    source : str
        Paper, standard, requirement id, or ``"ours"``.
    silent : float or None
        The value in a window without events; None where it is unknown then.
    scale : {"level", "ratio"}
        How values compare: by their difference, or by their quotient, as amounts do whose
        usual size differs by orders of magnitude between entities.
    """

    unit: str = ""
    direction: Direction = "both"
    source: str = "ours"
    silent: float | None = None
    scale: Scale = "level"


def _described(build: Build) -> tuple[str, str, tuple[str, ...]]:
    definition = inspect.cleandoc(build.__doc__ or "")
    if not definition:
        raise TypeError(f"feature {build.__name__}: no docstring; expected its definition")
    return build.__name__, definition, tuple(inspect.signature(build).parameters)


def derived(build: Build) -> Derived:
    """Declare a per-event column: its parameters are stream or other derived columns."""
    return Derived(*_described(build), build)


def derived_from_text(build: Build) -> Derived:
    """Declare a per-event column of stream columns alone, read before numbers stand for texts.

    What any other column or feature knows of a text is only which rows have the same.
    """
    return Derived(*_described(build), build, from_text=True)


def feature(
    *,
    unit: str,
    direction: Direction = "both",
    source: str = "ours",
    silent: float | None = None,
    scale: Scale = "level",
) -> Callable[[Build], Feature]:
    """Declare a feature: a function of event columns that returns one value for a window."""

    def declare(build: Build) -> Feature:
        return Feature(*_described(build), build, unit, direction, source, silent, scale)

    return declare


def collect(module: str) -> tuple[Derived, ...]:
    """Every feature and derived column that a module declares, in the order of its text."""
    return tuple(v for v in vars(sys.modules[module]).values() if isinstance(v, Derived))


SILENCE = Feature(
    "silence",
    "Time from the last event of the entity to the end of the window.",
    ("_silence",),
    lambda gap: gap.last(),
    unit="s",
    direction="high",
    scale="ratio",
)
"""Built into every view, so that an entity that falls silent is seen."""


@dataclass(frozen=True)
class FeatureView:
    """A kind of window: which stream, per which entity, how long, which features.

    Parameters
    ----------
    name : str
        ``"<kind>.<entity>_<length>"``, for example ``"trades.symbol_5s"``.
    stream : Stream
        Where the events come from.
    entity : tuple of str
        Columns that name the entity; several are joined by ``|``. An event without a value in
        one of them belongs to no window of the view.
    every : timedelta
        Length of the tumbling windows, aligned to the epoch, half open.
    declared : tuple of Derived
        Features, and the derived columns they read; see `collect`.
    lateness : timedelta
        How far behind the newest event an event may come and still be counted.
    forget_after : timedelta
        How long after its last event an entity still gets (empty) windows.
    retention : timedelta
        How long windows are kept in the lake (REQUIREMENTS.md, HM-CPU and HM-DSK).
    recent : timedelta
        What an entity is judged by: its mean over this long (`features.baseline`).
    main : tuple of str
        The amounts whose surge is the plainest sign of trouble in this view.
    remember : tuple of str
        Columns whose latest values are known for each entity (`features.novelty`).
    """

    name: str
    stream: Stream
    entity: tuple[str, ...]
    every: timedelta
    declared: tuple[Derived, ...]
    lateness: timedelta = timedelta(seconds=5)
    forget_after: timedelta = timedelta(days=1)
    retention: timedelta = timedelta(days=30)
    recent: timedelta = timedelta(minutes=1)
    main: tuple[str, ...] = ()
    remember: tuple[str, ...] = ()

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The features in the order of their columns; `SILENCE` is the last."""
        return (*(d for d in self.declared if isinstance(d, Feature)), SILENCE)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the feature columns."""
        return tuple(f.name for f in self.features)

    @cached_property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Columns and types of the view's windows."""
        keys: dict[str, pl.DataType] = {"entity": pl.String(), "start": TIME, "end": TIME}
        return keys | {name: pl.Float64() for name in self.names}

    @cached_property
    def from_text(self) -> tuple[Derived, ...]:
        """Derived columns that read texts as they are: before any other, and stream columns only.

        Raises
        ------
        TypeError
            When a parameter names no column of the stream.
        """
        found = tuple(d for d in self.declared if d.from_text)
        self._require(found, {c.name for c in self.stream.columns})
        return found

    @cached_property
    def stages(self) -> tuple[tuple[Derived, ...], ...]:
        """Derived columns in the order they can be computed: each stage reads earlier ones.

        Raises
        ------
        TypeError
            When a parameter names no column, or derived columns read each other in a circle.
        """
        known = {c.name for c in self.stream.columns} | set(BUILT_IN)
        known.update(d.name for d in self.from_text)
        waiting = [d for d in self.declared if not (isinstance(d, Feature) or d.from_text)]
        stages: list[tuple[Derived, ...]] = []
        while waiting:
            ready = tuple(d for d in waiting if known.issuperset(d.reads))
            if not ready:
                break
            stages.append(ready)
            known.update(d.name for d in ready)
            waiting = [d for d in waiting if d not in ready]
        self._require((*waiting, *self.features), known)
        return tuple(stages)

    def _require(self, columns: Iterable[Derived], known: set[str]) -> None:
        for column in columns:
            if missing := set(column.reads) - known:
                raise TypeError(
                    f"view {self.name}: {column.name} reads {', '.join(sorted(missing))}; "
                    f"expected columns of {self.stream.name} or derived columns"
                )

    @cached_property
    def reads(self) -> frozenset[str]:
        """Columns of the stream that the view needs."""
        used: Iterable[str] = (name for d in self.declared for name in d.reads)
        return frozenset(used) & {c.name for c in self.stream.columns}


BUILT_IN = ("first_of_entity", "window", "_entity", "_start", "_silence")
"""Columns that `features.extract` adds for derived columns to read."""
