"""One HTTP request: short, never redirected, its answer judged, no secret in what is said of it."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from time import monotonic
from typing import Any

import httpx
import orjson

from serving.notify.channel import Delivery
from serving.notify.channels.base import redact
from serving.notify.message import cut, plain

__all__ = ["Answer", "call"]

TIMEOUT_S, LONGEST_S = 5.0, 10.0
MOST_BYTES = 256_000
MOST_TOLD = 200
LONGEST_WAIT_S = 3_600.0
AGAIN = (408, 425, 429)


@dataclass(frozen=True)
class Answer:
    """What came back: how it is judged, and its JSON where it is any."""

    delivery: Delivery
    body: Any = None

    @property
    def ok(self) -> bool:
        """Whether the other side took it."""
        return self.delivery.outcome == "sent"


def call(
    method: str,
    url: str,
    *,
    hide: Iterable[str],
    json: Any = None,
    form: dict[str, str] | None = None,
    content: bytes | None = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    auth: tuple[str, str] | None = None,
) -> Answer:
    """Send one request.

    2xx is sent. 408, 425, 429, 5xx and whatever the network does is worth another try, when the
    other side asks for it (``Retry-After``, at most an hour). Anything else is refused, redirects
    too: messages go where the configuration says and nowhere else.

    Parameters
    ----------
    hide : iterable of str
        Secrets that may be in the request.
    """
    what: dict[str, Any] = {"headers": dict(headers or {}), "params": query, "data": form}
    what["content"] = content if json is None else orjson.dumps(json)
    if json is not None:
        what["headers"]["content-type"] = "application/json"
    if auth is not None:
        what["auth"] = auth
    until = monotonic() + LONGEST_S
    found = b""
    try:
        with _client() as client, client.stream(method, url, **what) as response:
            for piece in response.iter_bytes():
                found += piece
                if len(found) > MOST_BYTES or monotonic() > until:
                    break
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
        return Answer(Delivery("refused", f"no such request can be made: {type(error).__name__}"))
    except httpx.HTTPError as error:
        # Its own words may hold the address, which may be a secret.
        return Answer(Delivery("retry", f"{httpx.URL(url).host}: {type(error).__name__}"))
    return _judged(response, found, hide)


def _judged(response: httpx.Response, found: bytes, hide: Iterable[str]) -> Answer:
    status = response.status_code
    said = redact(plain(found.decode(errors="replace")), hide)
    told = f"{response.url.host} answered {status}"
    if response.is_success:
        return Answer(Delivery("sent", told), _json(found))
    if response.is_redirect:
        return Answer(Delivery("refused", f"{told}, a redirect; expected the final address"))
    told = cut(f"{told}: {said}" if said else told, MOST_TOLD)
    if status in AGAIN or response.is_server_error:
        return Answer(Delivery("retry", told, _retry_after(response)))
    return Answer(Delivery("refused", told), _json(found))


def _json(found: bytes) -> Any:
    try:
        return orjson.loads(found)
    except orjson.JSONDecodeError:
        return None


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that the other side asks to wait; a date is read by its own clock."""
    given = response.headers.get("retry-after", "").strip()
    try:
        if given.isdecimal():
            seconds = float(given)
        else:
            at, now = (parsedate_to_datetime(d) for d in (given, response.headers.get("date", "")))
            seconds = (at - now).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_S)


def _client() -> httpx.Client:
    agent = {"user-agent": "tocsin"}
    return httpx.Client(verify=_trusted(), timeout=TIMEOUT_S, follow_redirects=False, headers=agent)


@cache
def _trusted() -> ssl.SSLContext:
    """The system's certificates, read once."""
    return ssl.create_default_context()


class _HostsOnly(logging.Filter):
    """httpx logs every address at INFO, and some addresses are secrets: hosts are enough."""

    def filter(self, record: logging.LogRecord) -> bool:
        given = record.args if isinstance(record.args, tuple) else ()
        record.args = tuple(arg.host if isinstance(arg, httpx.URL) else arg for arg in given)
        return True


logging.getLogger("httpx").addFilter(_HostsOnly())
