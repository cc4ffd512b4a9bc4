"""Muting: silences in force, causes that mute symptoms, and what nothing may mute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from serving.alerts.matchers import Matcher
from serving.alerts.muting import Inhibition, Silence, active_silences, muted
from serving.severity import Severity
from serving.store.tables import silences

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CAUSE, SYMPTOM = Matcher(label="family", value="database"), Matcher(label="family", value="service")
RULE = Inhibition(source=[CAUSE], target=[SYMPTOM], equal=["site"])


def _labels(name: str, family: str, severity: str, site: str = "x") -> dict[str, Any]:
    return {"id": name, "family": family, "severity": Severity(severity), "site": site}


def _muted(labels: dict[str, Any], firing: list[dict[str, Any]]) -> str:
    return muted(labels, silenced=(), inhibitions=[RULE], firing=firing)


def test_a_cause_that_fires_mutes_its_symptoms_at_the_same_place() -> None:
    cause = _labels("1", "database", "high")
    symptom = _labels("2", "service", "medium")
    assert _muted(symptom, [cause, symptom]) == "symptom of alert 1, which fires"
    assert _muted(_labels("2", "service", "medium", "y"), [cause]) == ""
    assert _muted(symptom, [symptom]) == ""


def test_a_cause_is_never_muted_by_itself_or_another_cause() -> None:
    both = Inhibition(source=[CAUSE], target=[CAUSE])
    one, other = _labels("1", "database", "high"), _labels("2", "database", "high")
    assert muted(one, silenced=(), inhibitions=[both], firing=[one, other]) == ""


@given(st.sampled_from(list(Severity)), st.sampled_from(list(Severity)))
def test_nothing_is_muted_by_what_is_milder(cause: Severity, symptom: Severity) -> None:
    found = _muted(_labels("2", "service", symptom), [_labels("1", "database", cause)])
    assert bool(found) == (cause >= symptom)


def test_a_silence_says_until_when_and_why() -> None:
    silence = Silence("s1", "maintenance", (SYMPTOM,), NOON - HOUR, NOON, "new disks")
    labels = _labels("2", "service", "critical")
    found = muted(labels, silenced=[silence], inhibitions=(), firing=())
    assert found == "maintenance s1 until 2026-03-01 12:00 UTC: new disks"
    labels = _labels("2", "database", "critical")
    assert muted(labels, silenced=[silence], inhibitions=(), firing=()) == ""


def test_a_silence_is_in_force_from_its_beginning_until_before_its_end(store: sa.Engine) -> None:
    row = {
        "id": "s",
        "kind": "silence",
        "matchers": [SYMPTOM.model_dump()],
        "starts_at": NOON,
        "ends_at": NOON + HOUR,
        "created_by": "ann",
        "comment": "noise",
    }
    with store.begin() as connection:
        connection.execute(silences.insert().values(row))
        in_force = [
            bool(active_silences(connection, NOON + late))
            for late in (-timedelta(microseconds=1), timedelta(0), HOUR / 2, HOUR)
        ]
        (silence,) = active_silences(connection, NOON)
    assert in_force == [False, True, True, False]
    assert silence.matchers == (SYMPTOM,)
    with store.begin() as connection:
        (silence,) = active_silences(connection, NOON + 2 * HOUR, back=2 * HOUR)
        assert not silence.covers(NOON + HOUR / 2, NOON + 2 * HOUR)


def test_maintenance_is_about_when_it_happened_a_silence_about_when_it_is_told() -> None:
    given = ((SYMPTOM,), NOON, NOON + HOUR, "work")
    during, later = NOON + HOUR / 2, NOON + 2 * HOUR
    work, quiet = Silence("m", "maintenance", *given), Silence("s", "silence", *given)
    assert [work.covers(during, later), quiet.covers(during, later)] == [True, False]
    assert [work.covers(later, during), quiet.covers(later, during)] == [False, True]
    # A window that ends as the work begins came before it.
    assert [work.covers(edge, later) for edge in (NOON, NOON + HOUR)] == [False, True]
