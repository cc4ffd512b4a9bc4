"""What a client asks for: how much, how varied, how often refused, how regular, how odd.

A scanner is known by what it does, whatever it calls itself: many paths no other client asks for,
many of them absent, few referrers, several methods, characters that no link holds.
"""

from __future__ import annotations

import polars as pl

from features.expressions import entropy, entropy_step, firsts, share
from features.view import derived, feature

__all__: list[str] = []

S4 = "SCENARIOS.md, S4"


@derived
def is_request(kind: pl.Expr) -> pl.Expr:
    """Whether the event is a request."""
    return kind == "request"


@derived
def is_error(status: pl.Expr) -> pl.Expr:
    """Whether the request failed, by its client's fault or the server's."""
    return status >= 400


@derived
def is_denied(status: pl.Expr) -> pl.Expr:
    """Whether what was asked for is forbidden or not there."""
    return (status == 403) | (status == 404)


@derived
def gap(ts: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """Seconds since the previous event of the entity; null for its first."""
    us = ts.to_physical()
    return pl.when(~first_of_entity).then((us - us.shift(1)) / 1e6)


@derived
def path_first(path: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the path comes for the first time in the window."""
    return firsts(path, window)


@derived
def endpoint_first(endpoint: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the endpoint comes for the first time in the window."""
    return firsts(endpoint, window)


@derived
def endpoint_entropy_step(endpoint: pl.Expr, window: pl.Expr) -> pl.Expr:
    """By how much the event raises the window's sum of c ln c over counts c of endpoints."""
    return entropy_step(endpoint, window)


@derived
def agent_first(agent: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the user agent comes for the first time in the window."""
    return firsts(agent, window)


@derived
def method_first(method: pl.Expr, is_request: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the request's method comes for the first time in the window."""
    return firsts(pl.when(is_request).then(method), window)


@derived
def follows_on(object: pl.Expr, endpoint: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """Whether the object is the neighbour of the one that the previous event asked for."""
    step = (object - object.shift(1)).abs() == 1
    return (step & (endpoint == endpoint.shift(1)) & ~first_of_entity).fill_null(False)


@feature(unit="events", direction="high", silent=0, scale="ratio", source="SP-M1, SP-M4")
def count() -> pl.Expr:
    """Number of events of any kind."""
    return pl.len()


@feature(unit="requests", direction="high", silent=0, scale="ratio", source="SP-M4")
def requests(is_request: pl.Expr) -> pl.Expr:
    """Number of requests."""
    return is_request.sum()


@feature(unit="paths", direction="high", silent=0, scale="ratio", source=S4)
def paths(path_first: pl.Expr) -> pl.Expr:
    """Number of different paths, their queries included."""
    return path_first.sum()


@feature(unit="endpoints", direction="high", silent=0, scale="ratio", source=S4)
def endpoints(endpoint_first: pl.Expr) -> pl.Expr:
    """Number of different endpoints."""
    return endpoint_first.sum()


@feature(unit="bit", direction="high", silent=0, source="Shannon 1948; SCENARIOS.md, S4")
def endpoint_entropy(endpoint_entropy_step: pl.Expr, endpoint: pl.Expr) -> pl.Expr:
    """Entropy of the endpoints asked for; 0 where all requests are to one."""
    return entropy(endpoint_entropy_step, endpoint).fill_null(0.0)


@feature(unit="requests", direction="high", silent=0, scale="ratio", source="SP-M4")
def errors(is_error: pl.Expr) -> pl.Expr:
    """Number of requests with a status of 400 or more."""
    return is_error.sum()


@feature(unit="share", direction="high", source="SP-M4")
def error_share(is_error: pl.Expr) -> pl.Expr:
    """Share of the answers with a status of 400 or more."""
    return is_error.mean()


@feature(unit="share", direction="high", source="SP-M4")
def unauthorized_share(status: pl.Expr) -> pl.Expr:
    """Share of the answers that ask for a login: status 401."""
    return (status == 401).mean()


@feature(unit="share", direction="high", source=S4)
def forbidden_share(status: pl.Expr) -> pl.Expr:
    """Share of the answers that forbid: status 403."""
    return (status == 403).mean()


@feature(unit="share", direction="high", source=S4)
def not_found_share(status: pl.Expr) -> pl.Expr:
    """Share of the answers that what was asked for is not there: status 404."""
    return (status == 404).mean()


@feature(unit="share", direction="high", source=S4)
def throttled_share(status: pl.Expr) -> pl.Expr:
    """Share of the answers that the client asks too often: status 429."""
    return (status == 429).mean()


@feature(unit="share", direction="high", source="SP-M4")
def server_error_share(status: pl.Expr) -> pl.Expr:
    """Share of the answers that blame the server: status 500 or more."""
    return (status >= 500).mean()


@feature(unit="paths", direction="high", silent=0, scale="ratio", source=S4)
def denied_paths(path_first: pl.Expr, is_denied: pl.Expr) -> pl.Expr:
    """Number of different paths that were forbidden or not there when first asked for."""
    return (path_first & is_denied).sum()


@feature(unit="requests", direction="high", silent=0, scale="ratio", source=S4)
def sequential_objects(follows_on: pl.Expr) -> pl.Expr:
    """Requests for the neighbour, up or down, of the object that the previous request named."""
    return follows_on.sum()


@feature(unit="requests", direction="high", silent=0, scale="ratio")
def odd_requests(odd: pl.Expr) -> pl.Expr:
    """Requests whose path holds a character that no link holds, such as a quote or ``<``."""
    return (odd > 0).sum()


@feature(unit="characters", direction="high", silent=0, scale="ratio")
def odd_characters(odd: pl.Expr) -> pl.Expr:
    """Largest number of such characters in one path."""
    return odd.max().fill_null(0)


@feature(unit="methods", direction="high", silent=0, scale="ratio")
def methods(method_first: pl.Expr) -> pl.Expr:
    """Number of different HTTP methods."""
    return method_first.sum()


@feature(unit="agents", direction="high", silent=0, scale="ratio", source="SP-M1")
def agents(agent_first: pl.Expr) -> pl.Expr:
    """Number of different user agents."""
    return agent_first.sum()


@feature(unit="share", direction="high")
def direct_share(referrer: pl.Expr, is_request: pl.Expr) -> pl.Expr:
    """Share of the requests that name no page they came from."""
    return share((referrer.is_null() & is_request).sum(), is_request.sum())


@feature(unit="B", direction="high", silent=0, scale="ratio", source="SP-M4")
def bytes_out(bytes: pl.Expr) -> pl.Expr:
    """Bytes sent to the client."""
    return bytes.sum()


@feature(unit="ms", direction="high", scale="ratio", source="SP-M4")
def duration_median(duration: pl.Expr) -> pl.Expr:
    """Median time to serve a request."""
    return duration.median()


@feature(unit="s", direction="low", scale="ratio", source=S4)
def gap_mean(gap: pl.Expr) -> pl.Expr:
    """Mean time from the previous event of the entity to an event; a millisecond at least.

    The mean and not the median: where a log tells whole seconds, half the times of a fast client
    are 0.
    """
    return gap.mean().clip(lower_bound=1e-3)


@feature(unit="ratio", direction="low", source=S4)
def gap_variation(gap: pl.Expr) -> pl.Expr:
    """Standard deviation of the times between events over their mean; null for fewer than 5.

    A program that asks at a steady pace has a value near 0, and independent events one of 1.
    """
    return pl.when((gap.count() >= 5) & (gap.mean() > 0)).then(gap.std() / gap.mean())
