"""What serving adds to `tocsin.yaml`, under ``serving:``. All of it has a default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from features.catalogue import VIEWS
from pipeline.config import Config, ConfigError, Strict, told_of
from serving.alerts.muting import Inhibition
from serving.alerts.routes import DEFAULT_ROUTES, Route
from serving.services import Services

__all__ = ["DEFAULT", "Limits", "Playbooks", "Settings", "Tls", "settings_of"]

DEFAULT = """\
# Written by `tocsin up`. What may stand here is in docs/configuration.md.
home: .tocsin
sources:
  - {kind: host, name: this_host}
"""
"""The configuration of a house that nobody has configured; push sources of all streams follow."""


class Limits(Strict):
    """What one request may cost.

    Parameters
    ----------
    body_mb, seconds : int, float
        Size of a body, and how long an answer may take.
    windows : int
        Most windows of one request for scores, and most events of one push.
    live : int
        Most pages that are kept up to date at once.
    """

    body_mb: int = Field(default=32, ge=1, le=1024)
    seconds: float = Field(default=30.0, gt=0, le=600)
    windows: int = Field(default=100_000, ge=1, le=1_000_000)
    live: int = Field(default=500, ge=1, le=100_000)


class Tls(Strict):
    """Certificate and key, PEM files."""

    certificate: Path
    key: Path


class Playbooks(Strict):
    """Which playbooks may run.

    Parameters
    ----------
    folders : tuple of Path
        Added to those of the house; the same name replaces.
    start : bool
        Whether alerts start playbooks at all.
    services : Services
        Connections of actions.
    preempt : tuple of str
        Vaults, by their names among the contracts of ``services.chain``, for which pending
        transactions are tried; needs a node that shows them, and the guardian's keystore.
    """

    folders: tuple[Path, ...] = ()
    start: bool = True
    services: Services = Services()
    preempt: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _can_preempt(self) -> Playbooks:
        chain = self.services.chain
        known = chain.contracts if chain else {}
        if unknown := [name for name in self.preempt if name not in known]:
            told = f"expected some of services.chain.contracts: {', '.join(known) or 'none'}"
            raise ValueError(f"preempt: {unknown[0]} is unknown; {told}")
        if self.preempt and chain and "guardian" not in chain.signers:
            raise ValueError("preempt: services.chain.signers has no guardian; expected one")
        return self


class Settings(Strict):
    """Everything under ``serving:``.

    Parameters
    ----------
    host, port : str, int
        Where the API listens.
    public_url : str, optional
        What links in messages begin with; by default where it listens.
    routes : tuple of Route
        Which alerts are told by which channels.
    channels : dict of str to dict
        By the name routes use: ``kind`` and its options. A channel that is named by a route and
        is not here is dead, and told so.
    fallback : tuple of str
        Channels told when another is given up.
    budgets : dict of str to float
        By view, alerts a day: a rarer window is worth an alert. 1 where none is given.
    rules : tuple of Path
        Paths or files of rule packs, added to those of the house.
    inhibitions : tuple of Inhibition
        Added to those of the packs.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8787, ge=0, le=65_535)
    public_url: str | None = Field(None, pattern=r"^https?://[^\s/]+(/[^\s]*)?$")
    tls: Tls | None = None
    limits: Limits = Limits()
    routes: tuple[Route, ...] = DEFAULT_ROUTES
    channels: dict[str, dict[str, Any]] = Field(default_factory=dict)
    fallback: tuple[str, ...] = ("dashboard",)
    budgets: dict[str, float] = Field(default_factory=dict)
    rules: tuple[Path, ...] = ()
    inhibitions: tuple[Inhibition, ...] = ()
    playbooks: Playbooks = Playbooks()

    @field_validator("budgets")
    @classmethod
    def _known(cls, budgets: dict[str, float]) -> dict[str, float]:
        for name, value in budgets.items():
            if name not in VIEWS:
                raise ValueError(f"no view {name!r}; expected some of {', '.join(VIEWS)}")
            if not 0 < value <= 1e4:
                raise ValueError(f"{name} is {value}; expected alerts a day, above 0 to 10,000")
        return budgets

    @model_validator(mode="after")
    def _names_differ(self) -> Settings:
        names = [route.name for route in self.routes]
        if again := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"routes: {again[0]} is there twice")
        return self

    @property
    def url(self) -> str:
        """What links begin with, without a slash at the end."""
        scheme = "https" if self.tls else "http"
        return (self.public_url or f"{scheme}://{self.host}:{self.port}").rstrip("/")


def settings_of(config: Config) -> Settings:
    """The settings of a configuration.

    Raises
    ------
    ConfigError
        Something in them cannot be: one line for each fault.
    """
    try:
        return Settings.model_validate(config.serving)
    except ValidationError as error:
        raise ConfigError("\n".join(told_of(error, "serving"))) from None
