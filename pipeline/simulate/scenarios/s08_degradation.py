"""S8: a slow query fills the pool, the queue and the memory, until requests fail."""

from __future__ import annotations

import numpy as np

from pipeline.simulate.flow import SECOND, season
from pipeline.simulate.machines import CADENCE, QUERIES, QUERY_MS, UNLOGGED, Strain
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios.scenario import MINUTE, Scenario, Stage

__all__ = ["SCENARIO"]

SERVICE, DATABASE, HOST = "system.service_1m", "system.database_1m", "system.host_1m"


def attack(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """The query time climbs for ten minutes and stays; memory leaks on one host all the while.

    Sized by the hour's load, so that at strength 1 the pool is asked for three times over.
    """
    lasts = int(rng.uniform(30, 50) * MINUTE)
    held = QUERIES * UNLOGGED * season(at) * QUERY_MS / 1_000
    wanted = 36 + 84 * strength**0.5 * float(rng.uniform(0.95, 1.05))
    strains = platform.machines.strains
    strains.append(Strain("slow_query", at, at + lasts, wanted / held, 10 * MINUTE))
    strains.append(Strain("leak", at, at + lasts, 0.36 / (lasts / (60 * MINUTE))))
    full, end = at + 4 * MINUTE, at + lasts
    return [
        Stage("slow query", DATABASE, "main", at, end),
        Stage("pool exhausted", DATABASE, "main", full, end),
        Stage("leak", HOST, "web-1", full, end),
        Stage("slow answers", SERVICE, "api", full, end),
    ]


def decoy(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """A restart of one sample, then more traffic with flat answers, then a host not heard from."""
    strains = platform.machines.strains
    strains.append(Strain("restart", at, at + CADENCE))
    busy = at + 20 * MINUTE
    lasts = int(rng.uniform(15, 25) * MINUTE)
    times = 1 + 2 * min(strength, 1.0)
    strains.append(Strain("traffic", busy, busy + lasts, times, 3 * MINUTE))
    silent = busy + lasts + 20 * MINUTE
    strains.append(Strain("blind", silent, silent + 5 * MINUTE, entity="web-2"))
    return [
        Stage("deploy", SERVICE, "api", at, at + CADENCE + SECOND),
        Stage("traffic", SERVICE, "api", busy, busy + lasts),
        Stage("data missing", HOST, "web-2", silent, silent + 5 * MINUTE),
    ]


SCENARIO = Scenario(
    8, "Performance degradation", ("service", "database", "host", "network"), attack, decoy
)
