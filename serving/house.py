"""The house: everything that serves, built once from a configuration.

`tocsin up`, `tocsin serve`, `tocsin stream`, the API and the tests all begin here.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Thread
from typing import Any

import sqlalchemy as sa

from pipeline.config import Config, ConfigError
from pipeline.database import StoreError, open_engine
from pipeline.lake import Lake
from pipeline.sources.kinds import Push
from pipeline.sources.spool import Spool
from serving.alerts.engine import AlertEngine
from serving.alerts.ledger import Ledger
from serving.alerts.muting import Inhibition
from serving.alerts.thresholds import Thresholds
from serving.alerts.witness import Witness
from serving.api.judging import Judge
from serving.api.metrics import Meters
from serving.api.scorers import Scorers
from serving.auth import Gatekeeper
from serving.live import Live
from serving.notify.channels.catalogue import make_channels
from serving.notify.outbox import Outbox
from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.definition import LIBRARY, Playbook, load_library
from serving.playbooks.runner import Runner
from serving.playbooks.start import start as start_run
from serving.rules.actors import Actors
from serving.rules.book import RuleBook
from serving.rules.correlate import Correlator, inhibitions
from serving.rules.load import PACKS, load_packs
from serving.rules.rule import Pack
from serving.services import connect
from serving.settings import Settings, settings_of
from serving.store.keys import Role, make_key
from serving.store.migrate import migrate
from serving.store.tables import api_keys
from serving.verdict import Verdict

__all__ = ["House"]


@dataclass
class House:
    """What serves.

    Parameters
    ----------
    config : Config
    settings : Settings
    clock : callable
        Gives the time, aware UTC.
    engine : sqlalchemy.Engine
        The store, migrated.
    lake : Lake
    packs : list of Pack
        All rules.
    library : dict of str to Playbook
    scorers : Scorers
        For requests; the stream has its own, which learn.
    gatekeeper : Gatekeeper
    outbox : Outbox
    runner : Runner
    spools : dict of str to Spool
        Where pushed events go, by the name of their stream.
    meters, judge, live
        Of the API: measurements, scores for requests, changes for pages.
    threads : list of Thread
        What else runs in this process (`serving.up`).
    """

    config: Config
    settings: Settings
    clock: Callable[[], datetime]
    engine: sa.Engine
    lake: Lake
    packs: list[Pack]
    library: dict[str, Playbook]
    scorers: Scorers
    gatekeeper: Gatekeeper
    outbox: Outbox
    runner: Runner
    spools: dict[str, Spool]
    meters: Meters
    judge: Judge
    live: Live
    threads: list[Thread] = field(default_factory=list)

    @classmethod
    def open(cls, config: Config, *, clock: Callable[[], datetime]) -> House:
        """Build everything; the store is brought to its newest form.

        Raises
        ------
        ConfigError, RuleError, PlaybookError, StoreError
            Something in the configuration or in what it names cannot be used.
        """
        settings = settings_of(config)
        packs = load_packs([PACKS, *settings.rules])
        library = load_library([LIBRARY, *settings.playbooks.folders])
        engine = _store(config)
        who = f"{socket.gethostname()}:{os.getpid()}"
        lake = Lake(config.home / "lake")
        channels = make_channels(settings.channels, engine, pages=settings.url, clock=clock)
        services = connect(settings.playbooks.services, config, lake)
        return cls(
            config,
            settings,
            clock,
            engine,
            lake,
            packs,
            library,
            Scorers(config, engine, packs),
            Gatekeeper(engine, clock),
            Outbox(engine, channels, who=who, fallback=settings.fallback),
            Runner(engine, ACTIONS, services=services, who=who),
            _spools(config),
            Meters(engine),
            Judge(),
            Live(engine, settings.limits.live),
        )

    def alerts(self) -> AlertEngine:
        """An alert engine, for the one stream loop that feeds it.

        How rare a window must be follows from the alert budgets, from what the last fortnight of
        each view would have raised, and from what people said of alerts.
        """
        now, actors = self.clock(), Actors()
        engine = AlertEngine(
            RuleBook(self.packs),
            Correlator(self.packs, actor=actors),
            actors=actors,
            bars=Thresholds(self.lake, self.settings.budgets, until=now),
            routes=self.settings.routes,
            inhibitions=self.inhibitions,
            start=self.start,
            witness=Witness(self.config.home / "evidence"),
        )
        with self.engine.begin() as connection:
            engine.hear(connection, now=now)
        return engine

    def ledger(
        self, connection: sa.Connection, group: Callable[[Verdict], str], *, now: datetime
    ) -> Ledger:
        """A ledger for verdicts that do not come from a stream."""
        routes, start = self.settings.routes, self.start
        return Ledger(connection, routes, self.inhibitions, start, group, now=now)

    @property
    def inhibitions(self) -> list[Inhibition]:
        """Of the packs and of the settings."""
        return [*inhibitions(self.packs), *self.settings.inhibitions]

    def start(
        self,
        connection: sa.Connection,
        incident: Mapping[str, Any],
        alert: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """Start the playbook that an alert asks for, where there is one and they may run."""
        playbook = self.library.get(alert["playbook"])
        if playbook is not None and self.settings.playbooks.start:
            start_run(connection, playbook, incident, alert, now=now)

    def faults(self) -> dict[str, str]:
        """What should run here and does not."""
        return {one.name: "has stopped" for one in self.threads if not one.is_alive()}

    def first_key(self) -> str | None:
        """An admin's key, if there is no key at all yet; it cannot be shown again."""
        with self.engine.begin() as connection:
            if connection.execute(sa.select(api_keys.c.id).limit(1)).first() is not None:
                return None
            return make_key(connection, "first", Role.ADMIN, who="tocsin", now=self.clock())

    def close(self) -> None:
        """Let go of the store."""
        self.engine.dispose()


def _store(config: Config) -> sa.Engine:
    """The home folder and the database, as this version needs them."""
    try:
        config.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        told = f"home = {config.home}: {error.strerror}; expected a folder that can be written"
        raise ConfigError(told) from error
    engine = open_engine(config.store_url)
    try:
        migrate(engine)
    except sa.exc.OperationalError as error:
        raise StoreError(f"store {engine.url} cannot be used: {error.orig}") from error
    return engine


def _spools(config: Config) -> dict[str, Spool]:
    """The spools of the sources of kind push; of two for a stream the first takes all."""
    found: dict[str, Spool] = {}
    for given in config.sources:
        if given.get("kind") == "push":
            push = Push.model_validate(given)
            found.setdefault(push.stream, push.spool(config))
    return found
