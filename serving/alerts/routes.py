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

    Later waves are an escalation: they are not sent when somebody has acknowledged by then,
    unless ``always``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Span = timedelta(0)
    channels: list[str] = Field(min_length=1)
    always: bool = False


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


# AR-HN1 to 3 at once, AR-HN4 to 6 after two minutes without acknowledgement; AR-MN1 to 3.
DEFAULT_ROUTES: tuple[Route, ...] = (
    Route(
        name="high",
        at_least=Severity.HIGH,
        waves=[
            Wave(channels=["pagerduty", "sms", "chat"]),
            Wave(after="2m", channels=["email", "ticket", "status_page"]),  # type: ignore[arg-type]
        ],
        again="15m",  # type: ignore[arg-type]
    ),
    Route(
        name="medium",
        at_least=Severity.MEDIUM,
        waves=[Wave(channels=["chat", "email", "dashboard"])],
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
            later = bool(wave.after) and not wave.always
            yield Due(route.name, channel, wave.after, later)
