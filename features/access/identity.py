"""Whether an account or a key acts like itself: its places, devices, hours and endpoints."""

from __future__ import annotations

import math

import polars as pl

from features.expressions import firsts
from features.novelty import is_new
from features.view import derived, feature

__all__ = ["REMEMBERS"]

REMEMBERS = ("agent", "device", "endpoint", "subnet", "asn", "country")
"""What the views of accounts and keys remember."""

NIGHT_ENDS = 6
"""Night is from midnight to this hour, UTC."""
S3 = "SCENARIOS.md, S3"
EARTH_RADIUS = 6_371.0088
"""Mean radius, km (IUGG)."""
LEAST_TRAVEL = 50.0
"""Places nearer than this, km, are one place: addresses are located no better; ours."""


@derived
def new_agent(agent: pl.Expr, _entity: pl.Expr, _start: pl.Expr) -> pl.Expr:
    """Whether the user agent is new for the entity."""
    return is_new(agent, _entity, _start)


@derived
def new_device(device: pl.Expr, _entity: pl.Expr, _start: pl.Expr) -> pl.Expr:
    """Whether the device is new for the entity."""
    return is_new(device, _entity, _start)


@derived
def new_endpoint(endpoint: pl.Expr, _entity: pl.Expr, _start: pl.Expr) -> pl.Expr:
    """Whether the endpoint is new for the entity."""
    return is_new(endpoint, _entity, _start)


@derived
def new_subnet(subnet: pl.Expr, _entity: pl.Expr, _start: pl.Expr) -> pl.Expr:
    """Whether the network is new for the entity."""
    return is_new(subnet, _entity, _start)


@derived
def new_asn(asn: pl.Expr, _entity: pl.Expr, _start: pl.Expr) -> pl.Expr:
    """Whether the autonomous system is new for the entity."""
    return is_new(asn, _entity, _start)


@derived
def new_country(country: pl.Expr, _entity: pl.Expr, _start: pl.Expr) -> pl.Expr:
    """Whether the country is new for the entity."""
    return is_new(country, _entity, _start)


@derived
def ip_first(ip: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the address comes for the first time in the window."""
    return firsts(ip, window)


@derived
def asn_first(asn: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the autonomous system comes for the first time in the window."""
    return firsts(asn, window)


@derived
def velocity(
    ts: pl.Expr,
    lat: pl.Expr,
    lon: pl.Expr,
    is_failed_login: pl.Expr,
    first_of_entity: pl.Expr,
) -> pl.Expr:
    """Speed from the place of the previous event, km/h; null where a place is not known.

    Places less than 50 km apart count as one, and times less than a second as a second. Where a
    login fails somebody tries; it is not known that the owner is there.
    """
    lat = pl.when(~is_failed_login).then(lat)
    here, there = lat * (math.pi / 180), lat.shift(1) * (math.pi / 180)
    across = (lon - lon.shift(1)) * (math.pi / 180)
    half = ((here - there) / 2).sin().pow(2) + here.cos() * there.cos() * (across / 2).sin().pow(2)
    km = 2 * EARTH_RADIUS * half.clip(0.0, 1.0).sqrt().arcsin()
    us = ts.to_physical()
    hours = (us - us.shift(1)).clip(lower_bound=1_000_000) / 3.6e9
    speed = pl.when(km >= LEAST_TRAVEL).then(km / hours).when(km.is_not_null()).then(0.0)
    return pl.when(~first_of_entity).then(speed)


@derived
def is_night(ts: pl.Expr) -> pl.Expr:
    """Whether the event came between midnight and 6 o'clock, UTC."""
    return ts.dt.hour() < NIGHT_ENDS


@derived
def key_age(ts: pl.Expr, key_created_at: pl.Expr) -> pl.Expr:
    """Hours since the API key was made; null where that is not told."""
    return (ts.to_physical() - key_created_at.to_physical()).clip(lower_bound=0) / 3.6e9


@feature(unit="addresses", direction="high", silent=0, scale="ratio", source="SP-M1")
def addresses(ip_first: pl.Expr) -> pl.Expr:
    """Number of different addresses."""
    return ip_first.sum()


@feature(unit="systems", direction="high", silent=0, scale="ratio", source="SCENARIOS.md, S4")
def systems(asn_first: pl.Expr) -> pl.Expr:
    """Number of different autonomous systems."""
    return asn_first.sum()


@feature(unit="agents", direction="high", silent=0, source="SP-M1")
def new_agents(new_agent: pl.Expr) -> pl.Expr:
    """User agents that the entity had not used before."""
    return new_agent.sum()


@feature(unit="devices", direction="high", silent=0, source=S3)
def new_devices(new_device: pl.Expr) -> pl.Expr:
    """Devices that the entity had not used before."""
    return new_device.sum()


@feature(unit="endpoints", direction="high", silent=0, source="SCENARIOS.md, S4")
def new_endpoints(new_endpoint: pl.Expr) -> pl.Expr:
    """Endpoints that the entity had not used before."""
    return new_endpoint.sum()


@feature(unit="networks", direction="high", silent=0, source="SP-M1")
def new_subnets(new_subnet: pl.Expr) -> pl.Expr:
    """Networks that the entity had not come from before."""
    return new_subnet.sum()


@feature(unit="systems", direction="high", silent=0, source="SCENARIOS.md, S2")
def new_systems(new_asn: pl.Expr) -> pl.Expr:
    """Autonomous systems that the entity had not come from before."""
    return new_asn.sum()


@feature(unit="countries", direction="high", silent=0, source="SCENARIOS.md, S2")
def new_countries(new_country: pl.Expr) -> pl.Expr:
    """Countries that the entity had not come from before."""
    return new_country.sum()


@feature(unit="km/h", direction="high", silent=0, source=S3)
def velocity_max(velocity: pl.Expr) -> pl.Expr:
    """Highest speed from the place of one event of the entity to that of the next."""
    return velocity.max()


@feature(unit="share", direction="high", source="SP-M1")
def night_share(is_night: pl.Expr) -> pl.Expr:
    """Share of the events between midnight and 6 o'clock, UTC."""
    return is_night.mean()


@feature(unit="h", direction="low", scale="ratio", source=S3)
def key_age_min(key_age: pl.Expr) -> pl.Expr:
    """Age of the youngest API key in use; null where ages are not told."""
    return key_age.min()
