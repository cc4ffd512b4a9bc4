"""Routes: the seed's channels at the seed's times."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from serving.alerts.matchers import Matcher
from serving.alerts.routes import DEFAULT_ROUTES, Route, Wave, route_for, waves
from serving.severity import Severity

NOW, LATER = timedelta(0), timedelta(minutes=2)
HIGH = [
    ("pagerduty", NOW, True),
    ("sms", NOW, True),
    ("chat", NOW, True),
    ("email", LATER, True),
    ("ticket", LATER, True),
    ("status_page", LATER, True),
]
MEDIUM = [("chat", NOW, True), ("email", NOW, True), ("dashboard", NOW, True)]


@pytest.mark.parametrize(
    ("severity", "told"),
    [
        ("critical", HIGH),
        ("high", HIGH),
        ("medium", MEDIUM),
        ("low", [("dashboard", NOW, True)]),
        ("info", [("dashboard", NOW, True)]),
    ],
)
def test_each_severity_goes_where_the_seed_says(
    severity: str, told: list[tuple[str, timedelta, bool]]
) -> None:
    route = route_for(DEFAULT_ROUTES, {}, Severity(severity))
    assert route is not None
    found = [(due.channel, due.after, due.unless_acknowledged) for due in waves(route)]
    assert found == told


def test_the_first_route_that_matches_takes_an_alert() -> None:
    team = Route(
        name="team",
        at_least=Severity.LOW,
        match=[Matcher(label="team", value="market")],
        waves=[Wave(channels=["desk"])],
    )
    routes = (team, *DEFAULT_ROUTES)

    def taken(labels: dict[str, str], severity: str) -> str:
        found = route_for(routes, labels, Severity(severity))
        return found.name if found else ""

    assert taken({"team": "market"}, "critical") == "team"
    assert taken({"team": "market"}, "info") == "low"
    assert taken({"team": "chain"}, "critical") == "high"
    assert route_for((team,), {}, Severity.CRITICAL) is None


def test_a_wave_that_is_always_sent_is_no_escalation() -> None:
    route = Route(name="r", waves=[Wave(after=LATER, channels=["email"], always=True)])
    assert [due.unless_acknowledged for due in waves(route)] == [False]


def test_times_are_read_as_rules_write_them_and_mistakes_are_named() -> None:
    assert Wave.model_validate({"after": "90s", "channels": ["a"]}).after == timedelta(seconds=90)
    with pytest.raises(ValidationError, match="expected a number and s, m, h or d"):
        Wave.model_validate({"after": "soon", "channels": ["a"]})
    with pytest.raises(ValidationError, match="channels"):
        Wave.model_validate({"channels": []})
