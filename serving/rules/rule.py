"""What a rule pack may say; one schema for thresholds, ladders and correlations.

A threshold is data: view, feature, operator, limit, how long (REQUIREMENTS.md 8.1 to 8.5). One
metric has one ladder, an ordered list of rungs, each with an effect of its own; a plain rule is a
ladder of one rung. Correlations join what rules say, in the shape of Sigma's correlation rules
(Sigma specification 2.0, correlation).
"""

from __future__ import annotations

import re
from datetime import timedelta
from operator import ge, gt, le, lt
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from serving.severity import Severity

__all__ = ["COMPARE", "Condition", "Correlation", "Ladder", "Pack", "Rung", "Span", "hold", "span"]

Operator = Literal[">", ">=", "<", "<="]
COMPARE = {">": gt, ">=": ge, "<": lt, "<=": le}
"""Strict as the seed writes it: 85 % is not above 85 %."""

# A rung is left when the value is back at 95 % of the limit, for three windows.
CLEAR_SHARE = 0.95
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def span(text: str) -> timedelta:
    """A length of time as rules write it.

    >>> span("90s"), span("2h")
    (datetime.timedelta(seconds=90), datetime.timedelta(seconds=7200))
    """
    found = re.fullmatch(r"(\d+)([smhd])", str(text))
    if not found:
        raise ValueError(f"time is {text!r}; expected a number and s, m, h or d, such as 5m")
    return timedelta(seconds=int(found[1]) * UNITS[found[2]])


def hold(text: str) -> tuple[int, int]:
    """How many of how many windows must break the limit.

    >>> hold("2 of 3"), hold("3")
    ((2, 3), (3, 3))
    """
    found = re.fullmatch(r"(\d+)(?: of (\d+))?", str(text))
    some, of = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= some <= of <= 63:
        raise ValueError(f"for is {text!r}; expected windows such as 3, or 2 of 3, at most 63")
    return some, of


Span = Annotated[
    timedelta,
    BeforeValidator(lambda given: given if isinstance(given, timedelta) else span(given)),
    PlainSerializer(lambda time: f"{time.total_seconds():.0f}s", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+[smhd]$", "examples": ["5m"]}),
]
"""A length of time, read and written as rules do."""

Hold = Annotated[
    tuple[int, int],
    BeforeValidator(lambda given: given if isinstance(given, tuple) else hold(given)),
    PlainSerializer(lambda pair: f"{pair[0]} of {pair[1]}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+( of \d+)?$", "examples": ["2 of 3"]}),
]
Grade = Annotated[Severity, BeforeValidator(Severity.of)]
Cases = Annotated[list[list[dict[str, float | None]]], Field(min_length=1)]


class Strict(BaseModel):
    """A part of a pack; a word that is not known is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Condition(Strict):
    """A comparison that must hold too, such as a least number of requests."""

    feature: str
    operator: Operator
    limit: float


class Rung(Strict):
    """One limit of a ladder and what follows from it.

    ``hit`` and ``miss`` are cases: lists of consecutive windows, of which the last breaches the
    rung or does not. ``requirement`` names lines of REQUIREMENTS.md.
    """

    id: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")
    limit: float
    clear: float | None = None
    requirement: list[str] = []
    severity: Grade
    playbook: str = ""
    runbook: str = ""
    summary: str = ""
    labels: dict[str, str] = {}
    hit: Cases
    miss: Cases


class Ladder(Strict):
    """One feature of a view and its limits, the mildest first."""

    family: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")
    title: str
    view: str
    feature: str
    unit: str = ""
    operator: Operator
    hold: Hold = Field(default=(1, 1), alias="for")
    clear_for: int = Field(default=3, ge=1, le=63)
    also: list[Condition] = []
    summary: str
    runbook: str = ""
    silent: bool = False
    labels: dict[str, str] = {}
    rungs: list[Rung] = Field(min_length=1)

    @model_validator(mode="after")
    def _climbs(self) -> Ladder:
        up = self.operator in (">", ">=")
        limits = [rung.limit for rung in self.rungs]
        if limits != sorted(set(limits), reverse=not up):
            raise ValueError(f"{self.family}: limits are {limits}; expected the mildest first")
        for rung in self.rungs:
            if rung.clear is not None and COMPARE[self.operator](rung.clear, rung.limit):
                raise ValueError(
                    f"{rung.id}: clear is {rung.clear}; expected on the good side of {rung.limit}"
                )
        return self

    def cleared(self, rung: Rung, value: float) -> bool:
        """Whether a value is back far enough for the rung to be left."""
        if rung.clear is not None:
            level = rung.clear
        else:
            slack = abs(rung.limit) * (1 - CLEAR_SHARE)
            level = rung.limit - slack if self.operator in (">", ">=") else rung.limit + slack
        return value <= level if self.operator in (">", ">=") else value >= level


class Correlation(Strict):
    """What several rules say together, for one entity or one linked group of entities.

    ``ordered``: breaches of the named rules one after another. ``all``: in any order. ``count``:
    so many breaches. ``distinct``: breaches of so many entities. ``first``: an entity that the
    view never had before.
    """

    id: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")
    title: str
    kind: Literal["ordered", "all", "count", "distinct", "first"]
    rules: list[str] = []
    view: str = ""
    by: Literal["entity", "actor", "everywhere"] = "entity"
    within: Span = timedelta(hours=1)
    at_least: int = Field(default=1, ge=1)
    requirement: list[str] = []
    severity: Grade
    playbook: str = ""
    runbook: str = ""
    summary: str
    silent: bool = False
    labels: dict[str, str] = {}
    hit: list[dict[str, Any]] = Field(min_length=1)
    miss: list[dict[str, Any]] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_its_rules(self) -> Correlation:
        if (self.kind == "first") == bool(self.rules) or (self.kind == "first") != bool(self.view):
            raise ValueError(f"{self.id}: expected rules, or for the kind first a view")
        return self


class Pack(Strict):
    """One YAML file of rules."""

    pack: str
    about: str
    ladders: list[Ladder] = []
    correlations: list[Correlation] = []
