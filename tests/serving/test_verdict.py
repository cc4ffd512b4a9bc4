"""Verdicts: one for each family, in words that can be acted on; scores alone are never exact."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serving.rules.breach import Breach
from serving.severity import Severity
from serving.verdict import GRAVE_RISK, RARE, Rarity, RiskNow, Verdict, fingerprint, judge
from tests.serving.verdicts import NOON, breach

MINUTE = timedelta(minutes=1)
WORDS = [{"words": "orders 900 instead of 12"}, {"words": "cancels 95 % instead of 40 %"}]


def _judge(*breaches: Breach, rarity: Rarity | None = None, risk: float = 0.0) -> list[Verdict]:
    where: Any = ("system.host_1m", "a", NOON, NOON + MINUTE)
    return judge(*where, breaches=breaches, rarity=rarity, risk=RiskNow(risk))


def test_nothing_is_told_of_silent_breaches_or_of_none() -> None:
    assert _judge() == []
    assert _judge(breach(silent=True)) == []


def test_each_family_is_told_once_by_its_worst_rung() -> None:
    mild, worse = breach(severity=Severity.MEDIUM), breach(severity=Severity.CRITICAL, summary="!")
    other = breach(family="host.cpu", rule="host.cpu.high")
    cpu, memory = _judge(mild, other, worse)
    assert (cpu.family, memory.family) == ("host.cpu", "host.memory")
    assert (memory.severity, memory.why) == (Severity.CRITICAL, "!")
    assert memory.breaches == (mild, worse)


def test_a_score_beside_a_rule_is_evidence_and_alone_an_alert() -> None:
    rarity = Rarity(0.01, 1.0, {"surge": 0.7, "bands": 0.3}, WORDS)
    (beside,) = _judge(breach(), rarity=rarity)
    assert beside.arms == {"rule:host.memory.high": 1.0, "surge": 0.7, "bands": 0.3}
    assert (
        beside.why == "a uses 90 % of its memory; normal life brings such a window once in 100 days"
    )
    (alone,) = _judge(rarity=rarity)
    assert (alone.family, alone.exact, alone.arms) == (RARE, False, rarity.arms)
    assert alone.why.startswith("orders 900 instead of 12; cancels 95 %")
    assert alone.playbook == ""


def test_a_grave_risk_is_told_with_what_else_speaks_against_the_entity() -> None:
    where: Any = ("market_data.symbol_venue_1m", "a", NOON, NOON + MINUTE)
    grave = RiskNow(96.4, "handed on from key to a")
    (told,) = judge(*where, breaches=[breach()], rarity=None, risk=grave)
    assert told.why.endswith("; its risk is 96 of 100 (also: handed on from key to a)")
    (alone,) = judge(*where, breaches=[], rarity=Rarity(0.01, 1.0), risk=RiskNow(96.4))
    assert alone.why.endswith("; its risk is 96 of 100")
    assert alone.title == "Unusual market data: a"


def test_a_score_is_told_of_its_own_while_the_rules_only_hint() -> None:
    verdicts = _judge(breach(pending=True), rarity=Rarity(0.01, 1.0))
    assert [(v.family, v.pending) for v in verdicts] == [("host.memory", True), (RARE, False)]


@given(st.floats(1e-9, 1.0), st.floats(0.01, 100.0))
def test_a_score_is_high_when_it_is_a_hundred_times_rarer_than_needed(
    per_day: float, threshold: float
) -> None:
    (found,) = _judge(rarity=Rarity(per_day, threshold))
    assert found.severity == ("high" if per_day * 100 <= threshold else "medium")


@given(st.sampled_from(list(Severity)), st.floats(0, 100))
def test_a_grave_risk_makes_anything_at_least_high_and_nothing_milder(
    severity: Severity, risk: float
) -> None:
    (found,) = _judge(breach(severity=severity), risk=risk)
    least = Severity.HIGH if risk >= GRAVE_RISK else Severity.INFO
    assert found.severity == max(severity, least)
    assert found.risk == risk
    assert ("of 100" in found.why) == (risk >= GRAVE_RISK)


@given(st.lists(st.booleans(), min_size=1, max_size=3), st.lists(st.booleans(), max_size=3))
def test_exact_evidence_is_what_a_rule_is_certain_of_and_pending_means_all_of_them(
    pending: list[bool], exact: list[bool]
) -> None:
    exact = (exact + [False] * 3)[: len(pending)]
    (found,) = _judge(*(breach(pending=p, exact=e) for p, e in zip(pending, exact, strict=True)))
    assert found.pending == all(pending)
    certain = [e for p, e in zip(pending, exact, strict=True) if p == all(pending)]
    assert found.exact == any(certain)


def test_a_hint_beside_what_is_certain_makes_it_no_worse() -> None:
    hint = breach(severity=Severity.CRITICAL, pending=True, playbook="halt")
    (found,) = _judge(breach(exact=False), hint)
    assert (found.severity, found.exact, found.playbook) == (Severity.HIGH, False, "")
    assert len(found.breaches) == 2


def test_labels_are_for_routing_and_the_title_is_for_people() -> None:
    (found,) = _judge(breach(playbook="performance_degradation", runbook="Restart it."))
    assert found.labels == {
        "view": "system.host_1m",
        "stream": "system",
        "entity": "a",
        "family": "host.memory",
        "team": "platform",
    }
    assert found.title == "Memory: a"
    assert (found.first_step, found.playbook) == ("Restart it.", "performance_degradation")


def test_a_fingerprint_is_of_all_three_and_nothing_runs_together() -> None:
    parts = [("ab", "c", "d"), ("a", "bc", "d"), ("ab", "cd", ""), ("abc", "d", "")]
    assert len({fingerprint(*part) for part in parts}) == 4
    assert fingerprint("a", "b", "c") == fingerprint("a", "b", "c")


def test_a_verdict_as_fields_holds_its_breaches_as_fields_too() -> None:
    (found,) = _judge(breach(), rarity=Rarity(0.5, 1.0))
    fields = found.fields()
    assert fields["breaches"][0]["limit"] == 85.0
    assert fields["rarity"]["per_day"] == 0.5
