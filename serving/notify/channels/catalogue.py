"""Every kind of channel, and how they are made of the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from pipeline.config import ConfigError
from serving.notify.channels.apprise import Apprise
from serving.notify.channels.base import Around, Base
from serving.notify.channels.chat import Slack, Teams
from serving.notify.channels.dashboard import Dashboard
from serving.notify.channels.email import Email
from serving.notify.channels.pagerduty import PagerDuty
from serving.notify.channels.sms import Sms
from serving.notify.channels.status_page import StatusPage
from serving.notify.channels.ticket import Ticket
from serving.notify.channels.webhook import Webhook

__all__ = ["KINDS", "make_channels"]

KINDS: dict[str, type[Base]] = {
    "apprise": Apprise,
    "dashboard": Dashboard,
    "email": Email,
    "jira": Ticket,
    "pagerduty": PagerDuty,
    "slack": Slack,
    "statuspage": StatusPage,
    "teams": Teams,
    "twilio": Sms,
    "webhook": Webhook,
}


def make_channels(
    given: Mapping[str, Mapping[str, Any]],
    engine: sa.Engine,
    *,
    pages: str,
    clock: Callable[[], datetime],
) -> list[Base]:
    """The channels of a configuration, and ``dashboard``, which is always there.

    Parameters
    ----------
    given : mapping
        By name: ``kind`` and the options of that kind.
    pages : str
        What links begin with.

    Raises
    ------
    ConfigError
        An option cannot be, or a secret is not to be found: a line for each, without its value.
    """
    faults: list[str] = []
    made: list[Base] = []
    for name, options in {"dashboard": {"kind": "dashboard"}, **given}.items():
        rest = dict(options)
        kind = rest.pop("kind", None)
        if kind not in KINDS:
            faults.append(f"channels.{name}.kind = {kind!r}; expected one of {', '.join(KINDS)}")
            continue
        try:
            channel = KINDS[kind].model_validate(rest)
            channel.secrets()
        except ValidationError as error:
            # Without what was found: it may be a secret in the wrong place.
            for fault in error.errors(include_url=False, include_context=False):
                place = ".".join(str(part) for part in (name, *fault["loc"]))
                faults.append(f"channels.{place}: {fault['msg'].removeprefix('Value error, ')}")
        except ConfigError as error:
            faults.append(f"channels.{name}: {error}")
        else:
            made.append(channel.placed(Around(name, pages, clock, engine)))
    if faults:
        raise ConfigError("\n".join(faults))
    return made
