"""A static threshold that a window, or an order of events, has crossed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from serving.rules.rule import COMPARE
from serving.severity import Severity

__all__ = ["Breach"]


@dataclass(frozen=True)
class Breach:
    """One rule that holds for one entity now, its hold-down passed.

    Parameters
    ----------
    rule : str
        Id of the rule, such as ``service.response_time.page``.
    requirement : str
        Id of the line of the seed it answers, such as ``AR-H2``; empty where it is ours.
    view, entity : str
        What was judged.
    start, end : datetime
        The window that was judged, aware UTC.
    since : datetime
        End of the first window that broke the limit without a break since.
    feature, operator, limit, unit, value
        The comparison, such as ``response_p95 > 1000 ms`` at 1204.
    severity : Severity
    family : str
        Rules of one ladder share a family, so that one alert climbs instead of three ringing.
    summary : str
        One sentence, its ``{value}`` filled in.
    runbook : str
        First step for a person, or a link.
    playbook : str
        The playbook it starts; empty for none.
    exact : bool
        Deterministic evidence: may start automatic actions. False for rules over learned scores.
    silent : bool
        Evidence for correlations only: alone it makes no alert.
    pending : bool
        The limit is broken, but not for long enough yet.
    labels : dict of str to str
        For routing, grouping and inhibition; MITRE ATT&CK ids under ``attack``.
    evidence : dict
        JSON-able particulars, such as the steps of a sequence with their times.
    """

    rule: str
    requirement: str
    view: str
    entity: str
    start: datetime
    end: datetime
    since: datetime
    feature: str
    operator: str
    limit: float
    unit: str
    value: float
    severity: Severity
    family: str
    summary: str
    runbook: str = ""
    playbook: str = ""
    exact: bool = True
    silent: bool = False
    pending: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def broken(self) -> bool:
        """Whether this very window breaks the limit; in its wake the rule only holds still."""
        return bool(COMPARE[self.operator](self.value, self.limit))
