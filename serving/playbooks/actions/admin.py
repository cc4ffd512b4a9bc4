"""Actions on the platform by its admin API: resources put into one state.

``PUT /admin/<resource>`` with the wanted state and the step's key as ``Idempotency-Key``;
``GET`` of the same resource tells whether it is so. Service ``platform`` is an `httpx.Client`
with the base URL and the authorization set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from serving.playbooks.action import ActionError, Context, Effect, Outcome, ParameterError

__all__ = ["AdminAction", "Wanted", "client", "named"]

TIMEOUT = 5.0
RETRIED = {408, 409, 425, 429}
"""Answers below 500 that mean "not now"."""

Wanted = tuple[list[str], dict[str, Any], str]
"""The resources, the state they are put into, and that in words."""


def client(url: str, token: str) -> httpx.Client:
    """A client for the platform's admin API; it follows no redirect."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT, follow_redirects=False)


@dataclass(frozen=True)
class AdminAction:
    """Puts resources of the platform into one state.

    Parameters
    ----------
    name, about, effect
        See `serving.playbooks.action.Action`.
    wanted : callable
        From the parameters: resources, state, words. Raises ParameterError.
    guard : callable
        From what the resource is now and the wanted state: why it must not be done, or nothing.
    """

    name: str
    about: str
    effect: Effect
    wanted: Callable[[Mapping[str, Any]], Wanted]
    guard: Callable[[Mapping[str, Any], Mapping[str, Any]], str] = lambda now, wanted: ""

    def plan(self, context: Context, parameters: Mapping[str, Any]) -> str:
        """What it would do, in one sentence."""
        return self.wanted(parameters)[2]

    def prepare(self, context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Resources and state; refused where one is not known or must be left alone."""
        resources, state, words = self.wanted(parameters)
        for resource in resources:
            if why := self.guard(_ask(context, "GET", resource), state):
                raise ParameterError(f"{resource}: {why}")
        return {"resources": resources, "state": state, "words": words}

    def perform(self, context: Context, intent: Mapping[str, Any]) -> Outcome:
        """Put them into the state; a repeat under the same key changes nothing."""
        for resource in intent["resources"]:
            _ask(context, "PUT", resource, intent["state"])
        return Outcome(f"done: {intent['words']}", dict(intent["state"]))

    def verify(self, context: Context, intent: Mapping[str, Any]) -> bool:
        """Whether the platform says that all are in that state."""
        found = [_ask(context, "GET", resource) for resource in intent["resources"]]
        return all(one.get(name) == v for one in found for name, v in intent["state"].items())


def named(collection: str, name: str) -> str:
    """Path of one of a collection; the name may be any text."""
    return f"{collection}/{quote(name, safe='')}"


def _ask(
    context: Context, method: str, resource: str, state: dict[str, Any] | None = None
) -> dict[str, Any]:
    platform = context.services.get("platform")
    if platform is None:
        raise ParameterError("service platform is missing; expected the address of its admin API")
    # Errors name the resource and never the address: a URL can hold a secret.
    try:
        key = f"{context.key}:{resource}"
        headers = {"Idempotency-Key": key} if method == "PUT" else {}
        answer = platform.request(method, f"admin/{resource}", json=state, headers=headers)
        if answer.status_code < 300:
            found: Any = answer.json()
            if isinstance(found, dict):
                return found
            raise ActionError(f"{resource}: the platform answers no object")
    except httpx.HTTPError as error:
        raise ActionError(f"{resource}: the platform: {type(error).__name__}") from None
    except ValueError as error:
        raise ActionError(f"{resource}: the platform answers no JSON") from error
    status = answer.status_code
    if status == 404:
        raise ParameterError(f"{resource} is not known to the platform")
    if status >= 500 or status in RETRIED:
        raise ActionError(f"{resource}: the platform answers {status}")
    raise ParameterError(f"{resource}: the platform refuses with {status}")
