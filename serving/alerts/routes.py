"""Who is told and when: waves of channels for each severity, as the seed has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from serving.alerts.matchers import Matcher, matches
from serving.rules.rule import Span
from serving.severity import Severity

__all__ = ["DEFAULT_ROUTES", "Due", "Route", "Wave", "route_for", "waves"]


class Wave(BaseModel):
    """Channels told at one time after an incident opens.

    What has not been sent when somebody acknowledges is not sent any more, unless ``always``.
    ``requirement`` names the line of the seed that each channel answers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Span = timedelta(0)
    channels: list[str] = Field(min_length=1)
    always: bool = False
    requirement: list[str] = []


class Route(BaseModel):
    """Which alerts go which way. The first route that matches takes the alert.

    ``again`` is how long an unacknowledged incident stays quiet before it is told again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    at_least: Annotated[Severity, BeforeValidator(Severity.of)] = Severity.INFO
    match: list[Matcher] = []
    waves: list[Wave]
    again: Span | None = None


DEFAULT_ROUTES: tuple[Route, ...] = (
    Route(
        name="high",
        at_least=Severity.HIGH,
        waves=[
            Wave(channels=["pagerduty", "sms", "chat"], requirement=["AR-HN1", "AR-HN2", "AR-HN3"]),
            Wave(
                after="2m",  # type: ignore[arg-type]
                channels=["email", "ticket", "status_page"],
                requirement=["AR-HN4", "AR-HN5", "AR-HN6"],
            ),
        ],
        again="15m",  # type: ignore[arg-type]
    ),
    Route(
        name="medium",
        at_least=Severity.MEDIUM,
        waves=[
            Wave(
                channels=["chat", "email", "dashboard"], requirement=["AR-MN1", "AR-MN2", "AR-MN3"]
            )
        ],
    ),
    Route(name="low", waves=[Wave(channels=["dashboard"])]),
)


@dataclass(frozen=True)
class Due:
    """One channel to tell, when, and whether an acknowledgement makes it needless."""

    route: str
    channel: str
    after: timedelta
    unless_acknowledged: bool


def route_for(
    routes: Sequence[Route], labels: Mapping[str, Any], severity: Severity
) -> Route | None:
    """The first route that takes an alert; None where nobody is to be told."""
    return next((r for r in routes if severity >= r.at_least and matches(r.match, labels)), None)


def waves(route: Route) -> Iterable[Due]:
    """Every channel of a route."""
    for wave in route.waves:
        for channel in wave.channels:
            yield Due(route.name, channel, wave.after, not wave.always)
