"""Matchers over an alert's labels, as silences, inhibitions and routes use them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

__all__ = ["Matcher", "matches"]


class Matcher(BaseModel):
    """One comparison of a label: equal, unequal, or by a regular expression on all of it.

    Source: the matchers of Prometheus Alertmanager. A label that is absent is the empty text.

    >>> Matcher(label="view", operator="=~", value="trades.*").match({"view": "trades.symbol_5s"})
    True
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    operator: Literal["=", "!=", "=~", "!~"] = "="
    value: str

    @field_validator("value")
    @classmethod
    def _short(cls, value: str) -> str:
        if len(value) > 500:
            raise ValueError(f"value has {len(value)} characters; expected at most 500")
        return value

    @model_validator(mode="after")
    def _compiles(self) -> Matcher:
        if "~" in self.operator:
            try:
                re.compile(self.value)
            except re.error as error:
                raise ValueError(f"{self.value!r} is no regular expression: {error}") from error
        return self

    def match(self, labels: Mapping[str, Any]) -> bool:
        """Whether labels satisfy it."""
        given = str(labels.get(self.label, ""))
        if "~" in self.operator:
            found = re.fullmatch(self.value, given) is not None
        else:
            found = given == self.value
        return found != self.operator.startswith("!")


def matches(matchers: Iterable[Matcher], labels: Mapping[str, Any]) -> bool:
    """Whether labels satisfy every matcher."""
    return all(matcher.match(labels) for matcher in matchers)
