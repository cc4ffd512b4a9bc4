"""Alerts as rows: ids that a replay finds again, words of the gravest window."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serving.alerts.lifecycle import State
from serving.alerts.record import Row, alert_id, begin_alert, begin_incident, firing, join, tell
from serving.severity import Severity
from serving.verdict import RARE, Rarity, Verdict
from tests.serving.verdicts import NOON, breach, verdict

MINUTE = timedelta(minutes=1)


def _told(*verdicts: Verdict) -> Row:
    alert = begin_alert(verdicts[0])
    for one in verdicts:
        tell(alert, one, {"window": {"value": one.risk}}, NOON)
        alert["state"] = State.FIRING
    return alert


def _rare(per_day: float, **more: Any) -> Verdict:
    return verdict(family=RARE, rarity=Rarity(per_day, 1.0), why=f"{per_day}", **more)


def test_an_alert_is_its_fingerprint_and_the_window_that_opened_it() -> None:
    one, later = verdict(), verdict(start=NOON + MINUTE, end=NOON + 2 * MINUTE)
    assert begin_alert(one)["id"] == begin_alert(replace(one, why="else"))["id"]
    assert begin_alert(one)["id"] != begin_alert(later)["id"]
    assert alert_id("a", NOON) != alert_id("b", NOON)


@given(st.lists(st.sampled_from(list(Severity)), min_size=1, max_size=6))
def test_words_are_those_of_the_first_window_of_the_gravest_severity(
    grades: list[Severity],
) -> None:
    alert = _told(*(verdict(severity=g, why=str(i)) for i, g in enumerate(grades)))
    assert alert["severity"] == max(grades)
    assert alert["why"] == str(grades.index(max(grades)))
    assert alert["windows"] == len(grades)


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=6))
def test_of_rare_windows_the_rarest_is_told(rates: list[float]) -> None:
    alert = _told(*map(_rare, rates))
    assert alert["per_day"] == min(rates)
    assert alert["why"] == str(min(rates))


def test_a_milder_window_leaves_words_and_evidence_as_they_were() -> None:
    alert = begin_alert(verdict())
    assert not tell(
        alert, verdict(severity=Severity.HIGH, risk=90.0), {"window": {"value": 1}}, NOON
    )
    assert tell(
        alert, verdict(severity=Severity.CRITICAL, why="worse"), {"window": {"value": 2}}, NOON
    )
    assert not tell(
        alert, verdict(severity=Severity.LOW, why="mild"), {"window": {"value": 3}}, NOON
    )
    assert (alert["why"], alert["evidence"]["window"]) == ("worse", {"value": 2})
    assert alert["risk"] == 90.0


def test_what_was_pending_and_fires_is_told_by_the_window_that_fired() -> None:
    alert = begin_alert(verdict(pending=True))
    tell(alert, verdict(pending=True, why="hint"), {}, NOON)
    alert["state"] = State.PENDING
    tell(alert, verdict(why="fired"), {}, NOON)
    assert alert["why"] == "fired"


def test_a_playbook_once_asked_for_stays() -> None:
    assert _told(verdict(playbook="halt"), verdict(), verdict())["playbook"] == "halt"


def test_an_incident_gathers_entities_and_takes_the_worst_severity_and_its_title() -> None:
    first = _told(verdict(severity=Severity.MEDIUM, title="one"))
    second = _told(verdict(entity="b", severity=Severity.HIGH, title="two"))
    third = _told(verdict(entity="c", severity=Severity.LOW, title="three"))
    incident = begin_incident("group", first, NOON, NOON)
    for alert in (first, second, third, second):
        join(incident, alert, NOON)
    assert incident["entities"] == ["a", "b", "c"]
    assert (incident["severity"], incident["title"]) == ("high", "two")
    assert {alert["incident"] for alert in (first, second, third)} == {incident["id"]}
    assert begin_incident("group", first, NOON, NOON + MINUTE)["id"] == incident["id"]


def test_only_what_is_past_its_hold_down_and_open_fires() -> None:
    found = [state.value for state in State if firing({"state": state})]
    assert found == ["firing", "acknowledged"]


def test_in_the_wake_of_a_limit_nothing_gets_worse() -> None:
    breaking = verdict(severity=Severity.MEDIUM, breaches=(breach(value=90.0),))
    wake = verdict(severity=Severity.HIGH, breaches=(breach(value=80.0),), why="80 %")
    alert = _told(breaking, wake)
    assert (alert["severity"], alert["why"]) == (Severity.MEDIUM, breaking.why)
    assert _told(breaking, replace(breaking, severity=Severity.HIGH))["severity"] == Severity.HIGH
