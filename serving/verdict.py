"""A window judged by its scores and breaches: how bad, which arms, why, what to do first."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from pipeline.scoring.words import how_rare
from serving.rules.breach import Breach
from serving.severity import Severity

__all__ = ["RARE", "Rarity", "RiskNow", "Verdict", "fingerprint", "judge"]

RARE = "rare"
"""The family of what only the learned arms see."""

# A window this much rarer than the alert budget asks for is worth waking someone.
MUCH_RARER = 100.0
GRAVE_RISK = 80.0
LOOK = "Look at what changed for {entity}: the features below, its last hour, and who is linked."


@dataclass(frozen=True)
class Rarity:
    """What the learned arms say of a window that is rarer than the alert budget allows.

    Parameters
    ----------
    per_day : float
        How often normal life brings such a window, 1/day.
    threshold : float
        The level below which it is worth an alert, 1/day.
    arms : dict of str to float
        Each arm's share of the evidence; they sum to 1.
    reasons : list of dict
        The features that made it (`pipeline.scoring.reasons.Reason`), the largest share first.
    counterfactual : str
        Below which amount it would not have been rare; empty where none is known.
    """

    per_day: float
    threshold: float
    arms: dict[str, float] = field(default_factory=dict)
    reasons: list[dict[str, Any]] = field(default_factory=list)
    counterfactual: str = ""

    @property
    def severity(self) -> Severity:
        """Medium, or High where it is a hundred times rarer than an alert needs to be."""
        much = self.per_day * MUCH_RARER <= self.threshold
        return Severity.HIGH if much else Severity.MEDIUM


@dataclass(frozen=True)
class RiskNow:
    """An entity's risk, 0 to 100, and the most of it that the window itself does not tell."""

    value: float = 0.0
    also: str = ""


@dataclass(frozen=True)
class Verdict:
    """A window that is worth telling.

    Parameters
    ----------
    fingerprint : str
        Of view, entity and family: what the same alert has in common.
    view, entity, start, end
        The window, aware UTC.
    family : str
        The ladder that is breached, or `RARE`.
    severity : Severity
    pending : bool
        The hold-down has not passed yet.
    exact : bool
        Deterministic evidence is there: automatic actions may be considered.
    risk : float
        0 to 100.
    arms : dict of str to float
        What fired: ``rule:<id>`` at 1, and learned arms by their share of the evidence.
    breaches : tuple of Breach
    rarity : Rarity or None
    title, why, first_step : str
        For people.
    playbook : str
        The playbook it asks for; empty for none.
    labels : dict of str to str
        For routing, grouping, silences and inhibition.
    """

    fingerprint: str
    view: str
    entity: str
    start: datetime
    end: datetime
    family: str
    severity: Severity
    pending: bool
    exact: bool
    risk: float
    arms: dict[str, float]
    breaches: tuple[Breach, ...]
    rarity: Rarity | None
    title: str
    why: str
    first_step: str
    playbook: str
    labels: dict[str, str]

    def fields(self) -> dict[str, Any]:
        """The verdict as nested dictionaries; times stay datetimes."""
        return asdict(self)


def fingerprint(view: str, entity: str, family: str) -> str:
    """What all windows of one alert have in common, as 32 hexadecimal digits."""
    text = "\x1f".join((view, entity, family))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def judge(
    view: str,
    entity: str,
    start: datetime,
    end: datetime,
    *,
    breaches: Sequence[Breach],
    rarity: Rarity | None,
    risk: RiskNow,
) -> list[Verdict]:
    """What to tell of one window: one verdict for each family, learned arms beside the rules.

    A window that breaches rules is told by its rules, and what the learned arms see is evidence
    there; only where no rule speaks is it an alert of its own. Silent breaches alone tell nothing.
    """
    families: dict[str, list[Breach]] = defaultdict(list)
    for breach in breaches:
        if not breach.silent:
            families[breach.family].append(breach)
    told = [
        _of_rules(view, entity, start, end, family, found, rarity, risk)
        for family, found in sorted(families.items())
    ]
    if rarity is not None and all(verdict.pending for verdict in told):
        told.append(_of_rarity(view, entity, start, end, rarity, risk))
    return told


def _of_rules(
    view: str,
    entity: str,
    start: datetime,
    end: datetime,
    family: str,
    found: Sequence[Breach],
    rarity: Rarity | None,
    risk: RiskNow,
) -> Verdict:
    # A hint beside what is certain makes it neither worse nor exact.
    certain = [breach for breach in found if not breach.pending] or found
    worst = max(certain, key=lambda breach: breach.severity.rank)
    arms = {f"rule:{breach.rule}": 1.0 for breach in found} | (rarity.arms if rarity else {})
    why = [worst.summary]
    if rarity is not None:
        why.append(f"normal life brings such a window {how_rare(rarity.per_day)}")
    why += _against(risk)
    title = worst.labels.get("title", family)
    return Verdict(
        fingerprint=fingerprint(view, entity, family),
        view=view,
        entity=entity,
        start=start,
        end=end,
        family=family,
        severity=_raised(worst.severity, risk),
        pending=worst.pending,
        exact=any(breach.exact for breach in certain),
        risk=risk.value,
        arms=arms,
        breaches=tuple(found),
        rarity=rarity,
        title=f"{title}: {entity}",
        why="; ".join(why),
        first_step=worst.runbook or LOOK.format(entity=entity),
        playbook=next((breach.playbook for breach in certain if breach.playbook), ""),
        labels=_labels(view, entity, family, (breach.labels for breach in found)),
    )


def _of_rarity(
    view: str, entity: str, start: datetime, end: datetime, rarity: Rarity, risk: RiskNow
) -> Verdict:
    words = [reason["words"] for reason in rarity.reasons[:3]]
    rare = f"normal life brings this {how_rare(rarity.per_day)}"
    return Verdict(
        fingerprint=fingerprint(view, entity, RARE),
        view=view,
        entity=entity,
        start=start,
        end=end,
        family=RARE,
        severity=_raised(rarity.severity, risk),
        pending=False,
        exact=False,
        risk=risk.value,
        arms=rarity.arms,
        breaches=(),
        rarity=rarity,
        title=f"Unusual {view.split('.')[0].replace('_', ' ')}: {entity}",
        why="; ".join((*words, rare, *_against(risk))),
        first_step=LOOK.format(entity=entity),
        playbook="",
        labels=_labels(view, entity, RARE, ()),
    )


def _raised(severity: Severity, risk: RiskNow) -> Severity:
    """An entity that much speaks against is never told mildly."""
    return max(severity, Severity.HIGH) if risk.value >= GRAVE_RISK else severity


def _against(risk: RiskNow) -> list[str]:
    if risk.value < GRAVE_RISK:
        return []
    also = f" (also: {risk.also})" if risk.also else ""
    return [f"its risk is {risk.value:.0f} of 100{also}"]


def _labels(
    view: str, entity: str, family: str, given: Iterable[Mapping[str, str]]
) -> dict[str, str]:
    labels = {"view": view, "stream": view.split(".")[0], "entity": entity, "family": family}
    for more in given:
        labels |= {name: value for name, value in more.items() if name != "title"}
    return labels
