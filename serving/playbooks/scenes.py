"""What a drill is played against: an attack that goes on until the playbook stops it.

A scene lives by its own clock, hands over the windows that its rules judge, and says how much
harm was done and whether it goes on. What the playbook does to the platform or to the chain
changes the scene.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import polars as pl
import sqlalchemy as sa

from serving.playbooks.definition import PlaybookError
from serving.playbooks.preempt import Preempt
from serving.playbooks.scene_chain import ChainScene, Ledgers
from serving.playbooks.scene_people import InsiderScene, TakeoverScene
from serving.playbooks.scene_platform import AbuseScene, FeedScene, StrainScene

__all__ = ["SCENES", "Scene", "scene_for"]


class Scene(Protocol):
    """What a drill plays against.

    Attributes
    ----------
    step : timedelta
        How far it lives at a time.
    onset, ends : datetime or None
        When the first harm is done, and from when on there is none if nobody stops it; None where
        that is not known.
    unit : str
        What ``lost`` counts.
    services : dict
        For the actions.
    """

    step: timedelta
    onset: datetime | None
    ends: datetime | None
    unit: str
    services: dict[str, Any]

    @property
    def now(self) -> datetime:
        """How far it has lived."""

    def live(self) -> dict[str, pl.DataFrame]:
        """Live one step on; the windows that are closed by then, by view."""

    def contained(self) -> bool:
        """Whether no further harm can be done."""

    def lost(self) -> float:
        """The harm so far."""

    def told(self, step: str) -> None:
        """A person has done a step by hand."""

    def answer(self, step: str, name: str) -> str:
        """What a person who looks can write down by now; empty while there is nothing to see."""

    def preempt(self, engine: sa.Engine, ledger: Ledgers) -> Preempt | None:
        """Who watches what waits to happen, where that can be seen."""

    def close(self) -> None:
        """Let go of what it holds."""


SYSTEM = ("system.service_1m", "system.host_1m", "system.database_1m", "orders.symbol_1m")
FEED = ("market_data.symbol_venue_5s", "market_data.symbol_venue_1m")
ACCESS = ("access.ip_1m", "access.asn_1m", "access.account_5m", "access.key_1m")
ABUSE = ("orders.account_symbol_5s", "orders.account_symbol_1m")
SCENES: dict[str, Callable[[int], Scene]] = {
    "performance_degradation": partial(StrainScene, (*SYSTEM, FEED[1])),
    "account_takeover": partial(TakeoverScene, ACCESS),
    "market_abuse": partial(AbuseScene, ABUSE),
    "market_data_failure": partial(FeedScene, FEED),
    "insider_tampering": partial(InsiderScene, ("access.account_5m",)),
}
"""What each playbook is drilled against, from a seed; one is drilled on a chain."""
ON_CHAIN = "contract_compromise"


def scene_for(playbook: str, folder: Path, seed: int, *, anvil: bool = False) -> Scene:
    """A fresh scene.

    Parameters
    ----------
    folder : Path
        For keystores.
    anvil : bool
        On a node of its own, whose waiting transactions are watched, and not in this process.

    Raises
    ------
    PlaybookError
        The playbook has none, or none on anvil.
    OSError
        There is no anvil here.
    """
    if playbook == ON_CHAIN:
        return ChainScene(folder, seed, anvil=anvil)
    if anvil:
        raise PlaybookError(f"{playbook} is not drilled on a chain; expected {ON_CHAIN}")
    if playbook not in SCENES:
        known = ", ".join(sorted({*SCENES, ON_CHAIN}))
        raise PlaybookError(f"no scene to drill {playbook!r}; expected one of {known}")
    return SCENES[playbook](seed)
