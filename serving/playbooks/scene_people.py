"""Made-up incidents by people: intruders in customers' accounts, and an employee."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl

from pipeline.simulate.exchange import PAIRS
from pipeline.simulate.scenarios import SCENARIOS
from serving.playbooks.scene_platform import CALM, Harm, PlatformScene

__all__ = ["InsiderScene", "TakeoverScene"]

PATIENCE = timedelta(hours=2)
"""How long the insider waits from one act to the next."""


class TakeoverScene(PlatformScene):
    """S3: harm is what intruders withdraw from accounts that are not frozen, while they get in."""

    unit = "USDT"
    harmful_stages = ("drain",)

    def __init__(self, views: tuple[str, ...], seed: int) -> None:
        super().__init__(SCENARIOS["s03_account_takeover"], views, seed)
        self._shut_out = False
        self._destinations: dict[str, None] = {}

    def harm(self, events: Mapping[str, pl.DataFrame]) -> float:
        """What was withdrawn."""
        lost = 0.0
        for row in events["access"].filter(pl.col("kind") == "withdrawal").iter_rows(named=True):
            mine = [
                one
                for one in self.harms
                if one["entity"] == row["account"] and one["start"] <= row["ts"] < one["end"]
            ]
            if mine and not self.stopped(mine[0]):
                asked = dict(part.split("=") for part in row["path"].partition("?")[2].split("&"))
                lost += float(asked["amount"])
                self._destinations[asked["address"]] = None
        return lost

    def stopped(self, harm: Harm) -> bool:
        """Frozen, or their sessions were ended and a fresh factor is asked for."""
        return self._shut_out or self.frozen(harm["entity"])

    def told(self, step: str) -> None:
        """A fresh factor shuts out who has only passwords."""
        self._shut_out = self._shut_out or step == "step_up"

    def answer(self, step: str, name: str) -> str:
        """The accounts that they got into by now, and where the money went."""
        if name == "accounts":
            inside = (pl.col("stage") == "takeover") & (pl.col("start") <= self.now)
            return ", ".join(sorted(self.truth.filter(inside)["entity"].unique()))
        if name == "destinations":
            return ", ".join(self._destinations) or "none"
        return "drilled"


class InsiderScene(PlatformScene):
    """S10 in a day: harm is the export and the trade ahead of the news by a friend's account.

    What goes before the export is lived at once.
    """

    harmful_stages = ("export", "trading ahead")

    def __init__(self, views: tuple[str, ...], seed: int) -> None:
        quiet: dict[str, Any] = {"activity": 0.02, "pairs": PAIRS[-2:]}
        super().__init__(SCENARIOS["s10_insider"], views, seed, patience=PATIENCE, **quiet)
        exports = self.truth.filter(pl.col("stage") == "export")
        self._person = str(exports["entity"][0])
        began = exports["start"][0].replace(second=0, microsecond=0)
        self._before = self._until(began - CALM)

    def live(self) -> dict[str, pl.DataFrame]:
        """Half a minute; the first time also all that went before."""
        found, before, self._before = super().live(), self._before, {}
        names = [name for name in self._windowers if name in found or name in before]
        parts = {name: [one[name] for one in (before, found) if name in one] for name in names}
        return {name: pl.concat(frames) for name, frames in parts.items()}

    def stopped(self, harm: Harm) -> bool:
        """The person's rights are suspended; the friend's account is frozen."""
        return self.frozen(self._person if harm["stage"] == "export" else self._friend())

    def answer(self, step: str, name: str) -> str:
        """Who shares a device with the person."""
        return self._friend() if name == "accounts" else "drilled"

    def _friend(self) -> str:
        used = self.platform.actors().filter(pl.col("target_kind") == "device")
        mine = pl.col("origin") == self._person
        devices = used.filter(mine)["target"].unique().implode()
        shared = used.filter(pl.col("target").is_in(devices), ~mine)
        return str(shared["origin"].sort()[0])
