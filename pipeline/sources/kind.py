"""What every kind of source is: words of a configuration that become sources and feeds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import Field, field_validator

from features.catalogue import STREAMS
from features.stream import Stream
from pipeline.config import Config, Strict
from pipeline.sources.feeds import Feed
from pipeline.sources.source import Divided, Source
from pipeline.sources.spool import Spool

__all__ = ["Built", "Kind", "OfStream"]

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]


@dataclass
class Built:
    """What a configuration's sources become.

    Parameters
    ----------
    sources : list of Source or Divided
        For the loop.
    feeds : list of Feed
        For `pipeline.sources.feeds.Feeds`.
    spools : dict of str to Spool
        Where pushes go, by the name of their source.
    """

    sources: list[Source | Divided] = field(default_factory=list)
    feeds: list[Feed] = field(default_factory=list)
    spools: dict[str, Spool] = field(default_factory=dict)


class Kind(Strict):
    """What all kinds have: a name that no other source has."""

    name: Name

    @abstractmethod
    def build(self, config: Config, clock: Callable[[], datetime]) -> Built:
        """The sources and feeds."""

    def _spool(self, config: Config, name: str, limit_mb: int) -> Spool:
        return Spool(config.home / "spool" / name, limit=limit_mb * 2**20)


class OfStream(Kind):
    """A kind that can give any stream."""

    stream: str

    @field_validator("stream")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in STREAMS:
            raise ValueError(f"expected one of {', '.join(STREAMS)}")
        return name

    @property
    def of(self) -> Stream:
        """The stream."""
        return STREAMS[self.stream]
