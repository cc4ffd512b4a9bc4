"""What a rule pack may say; one schema for thresholds, ladders and correlations.

A threshold is data: view, feature, operator, limit, how long (REQUIREMENTS.md 8.1 to 8.5). One
metric has one ladder, an ordered list of rungs, each with an effect of its own; a plain rule is a
ladder of one rung. An objective is a ladder over how fast an error budget is spent. Correlations
join what rules say, in the shape of Sigma's correlation rules (Sigma specification 2.0).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from operator import ge, gt, le, lt
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from serving.alerts.muting import Inhibition
from serving.rules.spans import Hold, Span, span
from serving.severity import Severity

__all__ = [
    "COMPARE",
    "GROUPS",
    "BurnRate",
    "Condition",
    "Correlation",
    "Ladder",
    "Learned",
    "Objective",
    "Pack",
    "Rung",
    "Span",
    "span",
]

Operator = Literal[">", ">=", "<", "<="]
COMPARE: dict[str, Callable[[Any, Any], Any]] = {">": gt, ">=": ge, "<": lt, "<=": le}
"""Strict as the seed writes it: 85 % is not above 85 %."""
GROUPS = ("entity", "actor", "everywhere")
"""What correlations join by, besides labels."""

# A rung is left when the value is back at 95 % of the limit, for three windows.
CLEAR_SHARE = 0.95
Grade = Annotated[Severity, BeforeValidator(lambda word: Severity.of(str(word)))]
Cases = Annotated[list[list[dict[str, float | None]]], Field(min_length=1)]
"""Lists of consecutive windows; ``times: 60`` in a window stands for sixty of them."""
RuleId = Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$", max_length=100)]
Family = Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=100)]


class Strict(BaseModel):
    """A part of a pack; a word that is not known is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Condition(Strict):
    """A comparison that must hold too, such as a least number of requests."""

    feature: str
    operator: Operator
    limit: float


class Effect(Strict):
    """What follows when a rule holds. ``requirement`` names lines of REQUIREMENTS.md."""

    id: RuleId
    requirement: list[str] = []
    severity: Grade
    playbook: str = ""
    runbook: str = ""
    summary: str = ""
    labels: dict[str, str] = {}


class Happening(Strict):
    """A breach in a correlation's case: when after the beginning, of which rule and entity."""

    at: Span
    rule: str
    entity: str = "one"


Happenings = list[Happening]


class Rung(Effect):
    """One limit of a ladder and what follows from it.

    ``hit`` and ``miss`` are cases: lists of consecutive windows, of which the last breaches the
    rung or does not. Without ``operator`` or ``for`` of its own it has those of the ladder.
    """

    limit: float
    operator: Operator | None = None
    clear: float | None = None
    hold: Hold | None = Field(default=None, alias="for")
    hit: Cases
    miss: Cases


class BurnRate(Effect):
    """How many times too fast an error budget is spent, over a long and over a short time."""

    limit: float = Field(gt=0)
    long: Span
    short: Span
    hit: Cases
    miss: Cases

    @model_validator(mode="after")
    def _long_is_longer(self) -> BurnRate:
        if not timedelta(0) < self.short < self.long:
            raise ValueError(f"{self.id}: short is {self.short}; expected less than {self.long}")
        return self


class Metric(Strict):
    """What a ladder and an objective have in common.

    ``only`` is a regular expression that the whole name of an entity must match; ``between`` are
    times of the day, UTC, between which a window must begin, such as ``23:55-24:00``.
    """

    family: Family
    title: str
    view: str
    feature: str
    only: str = ""
    between: str = Field(default="", pattern=r"^(\d\d:[0-5]\d-\d\d:[0-5]\d)?$")
    summary: str
    runbook: str = ""
    silent: bool = False
    labels: dict[str, str] = {}

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Metric:
        try:
            pl.Series([""]).str.contains(self.only)
        except pl.exceptions.ComputeError as error:
            raise ValueError(f"only is {self.only!r}; expected a regular expression") from error
        begin, _, end = self.between.partition("-")
        if begin > end:
            raise ValueError(f"between is {self.between}; expected times of one day, in order")
        return self


class Ladder(Metric):
    """One feature of a view and its limits, the mildest first."""

    unit: str = ""
    operator: Operator
    hold: Hold = Field(default=(1, 1), alias="for")
    clear_for: int = Field(default=3, ge=1, le=63)
    also: list[Condition] = []
    rungs: list[Rung] = Field(min_length=1)

    @model_validator(mode="after")
    def _climbs(self) -> Ladder:
        limits = [rung.limit for rung in self.rungs]
        if limits != sorted(set(limits), reverse=not self.up):
            raise ValueError(f"{self.family}: limits are {limits}; expected the mildest first")
        for rung in self.rungs:
            if (self.operator_of(rung) in (">", ">=")) != self.up:
                raise ValueError(
                    f"{rung.id}: operator is {rung.operator}; expected the way of {self.operator}"
                )
            if rung.clear is not None and self.breaks(rung, rung.clear):
                raise ValueError(
                    f"{rung.id}: clear is {rung.clear}; expected on the good side of {rung.limit}"
                )
        return self

    @property
    def up(self) -> bool:
        """Whether high is bad."""
        return self.operator in (">", ">=")

    def operator_of(self, rung: Rung) -> Operator:
        """The operator of a rung."""
        return rung.operator or self.operator

    def breaks(self, rung: Rung, value: float) -> bool:
        """Whether a value breaks the limit of a rung."""
        return bool(COMPARE[self.operator_of(rung)](value, rung.limit))

    def cleared(self, rung: Rung, value: float) -> bool:
        """Whether a value is back far enough for the rung to be left."""
        if self.breaks(rung, value):
            return False
        if rung.clear is not None:
            level = rung.clear
        else:
            slack = abs(rung.limit) * (1 - CLEAR_SHARE)
            level = rung.limit - slack if self.up else rung.limit + slack
        return value <= level if self.up else value >= level


class Objective(Metric):
    """A service level over a rolling time, such as 99.9 % of the health checks answered.

    ``feature`` is the share that was good, %, and ``weight`` what it is a share of. Source: Google,
    The Site Reliability Workbook, chapter 5: multiwindow, multi-burn-rate alerts.
    """

    weight: str
    objective: float = Field(gt=0, lt=100)
    rungs: list[BurnRate] = Field(min_length=1)


class Correlation(Effect):
    """What several rules say together, for one entity or one linked group of entities.

    ``ordered``: the named rules one after another, as far as their windows tell. ``all``: in any
    order. ``count``: so many windows that break a rule. ``distinct``: so many entities that do.
    ``first``: the first in so long; nothing is told before it has watched for that long.

    ``by`` says whose breaches are joined: of one ``entity``, of one ``actor`` (entities linked to
    each other), of all (``everywhere``), or of those that share a label, such as ``symbol``.
    """

    title: str
    kind: Literal["ordered", "all", "count", "distinct", "first"]
    rules: list[RuleId] = Field(min_length=1, max_length=16)
    by: str = Field(default="entity", pattern=r"^[a-z_]+$")
    within: Span = timedelta(hours=1)
    at_least: int = Field(default=1, ge=1, le=1_000)
    summary: str
    silent: bool = False
    hit: list[Happenings] = Field(min_length=1)
    miss: list[Happenings] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be(self) -> Correlation:
        if self.kind in ("ordered", "all") and not 2 <= len(self.rules) <= 5:
            count = len(self.rules)
            raise ValueError(f"{self.id}: {self.kind} has {count} rules; expected 2 to 5")
        if self.kind in ("count", "distinct") and self.at_least < 2:
            raise ValueError(f"{self.id}: at_least is {self.at_least}; expected at least 2")
        return self


class Learned(Strict):
    """A line of REQUIREMENTS.md that only learned arms answer: by which feature of which view."""

    requirement: str
    view: str
    feature: str
    how: str


class Pack(Strict):
    """One YAML file of rules."""

    pack: str
    about: str
    ladders: list[Ladder] = []
    objectives: list[Objective] = []
    correlations: list[Correlation] = []
    inhibitions: list[Inhibition] = []
    learned: list[Learned] = []

    @property
    def metrics(self) -> list[Ladder | Objective]:
        """Ladders and objectives."""
        return [*self.ladders, *self.objectives]
