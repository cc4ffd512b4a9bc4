"""The kinds of source that a configuration may name, and how each becomes sources and feeds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from features.catalogue import STREAMS
from pipeline.config import Config, ConfigError, reveal, told_of
from pipeline.sources.chain_kind import ChainOf
from pipeline.sources.feeds import HostFeed
from pipeline.sources.files import FileSource
from pipeline.sources.host import CADENCE, HostSource
from pipeline.sources.kind import Built, Kind, OfStream
from pipeline.sources.source import Divided, Source
from pipeline.sources.spool import Spool, SpoolSource

__all__ = ["Built", "Push", "build", "kinds_of"]


class Files(OfStream):
    """Parquet, CSV or JSON lines: one file or a folder, followed unless ``follow: false``."""

    kind: Literal["files"]
    path: Path
    follow: bool = True

    def build(self, config: Config, clock: Callable[[], datetime]) -> Built:
        """See `Kind`."""
        source = FileSource(self.name, self.of, self.path, follow=self.follow, batch=config.batch)
        return Built([source])


class Push(OfStream):
    """Rows that others send: they are spooled by whoever takes them, and read from there."""

    kind: Literal["push"]
    limit_mb: int = Field(1024, ge=1)

    def spool(self, config: Config) -> Spool:
        """Where whoever takes pushes writes them."""
        return self._spool(config, self.name, self.limit_mb)

    def build(self, config: Config, clock: Callable[[], datetime]) -> Built:
        """See `Kind`."""
        spool = self.spool(config)
        source = SpoolSource(self.name, self.of, spool, batch=config.batch)
        return Built([source], spools={self.name: spool})


class Host(Kind):
    """This machine by psutil; ``host`` is its name in the events, by default its own."""

    kind: Literal["host"]
    host: str | None = None
    limit_mb: int = Field(64, ge=1)

    def build(self, config: Config, clock: Callable[[], datetime]) -> Built:
        """See `Kind`."""
        spools = {s: self._spool(config, f"{self.name}.{s}", self.limit_mb) for s in CADENCE}
        sources: list[Source | Divided] = [
            SpoolSource(f"{self.name}.{stream}", STREAMS[stream], spool, batch=config.batch)
            for stream, spool in spools.items()
        ]
        return Built(sources, [HostFeed(self.name, HostSource(self.host), spools)])


class Prometheus(OfStream):
    """An exporter's text endpoint: ``fields`` says which metric fills which column."""

    kind: Literal["prometheus"]
    url: str
    every_seconds: float = Field(30.0, ge=1)
    fields: dict[str, str | tuple[str, float]] = Field(min_length=1)
    by: dict[str, str] = Field(default_factory=dict)
    same: dict[str, str] = Field(default_factory=dict)
    limit_mb: int = Field(64, ge=1)

    def build(self, config: Config, clock: Callable[[], datetime]) -> Built:
        """See `Kind`."""
        from pipeline.sources.prometheus import Metric, PrometheusFeed

        columns = {column.name for column in self.of.columns}
        if unknown := {*self.fields, *self.by, *self.same} - columns:
            raise ConfigError(
                f"source {self.name}: {', '.join(sorted(unknown))} of {self.stream} is unknown; "
                f"expected some of {', '.join(sorted(columns))}"
            )
        spool = self._spool(config, self.name, self.limit_mb)
        try:
            fields = {
                column: Metric.of(*([given] if isinstance(given, str) else given))
                for column, given in self.fields.items()
            }
            feed = PrometheusFeed(
                self.name,
                self.of,
                reveal(self.url),
                spool,
                every=timedelta(seconds=self.every_seconds),
                fields=fields,
                by=self.by,
                same=self.same,
            )
        except ValueError as error:
            raise ConfigError(f"source {self.name}: {error}") from None
        return Built([SpoolSource(self.name, self.of, spool, batch=config.batch)], [feed])


class Kafka(OfStream):
    """A topic: each partition is a source; ``settings`` go to librdkafka."""

    kind: Literal["kafka"]
    topic: str
    settings: dict[str, str]
    value: Literal["json", "arrow"] = "json"
    partitions: tuple[int, ...] | None = None

    def build(self, config: Config, clock: Callable[[], datetime]) -> Built:
        """See `Kind`. The broker is asked for the partitions where none are named."""
        from pipeline.sources.kafka import KafkaTopic

        servers = {name: reveal(value) for name, value in self.settings.items()}
        topic = KafkaTopic(
            self.name, self.of, self.topic, servers, value=self.value, batch=config.batch
        )
        if self.partitions is None:
            return Built([topic])
        return Built([topic.part(number) for number in self.partitions])


class AccessLogs(Kind):
    """A log of Apache or nginx (combined), of sshd and sudo (auth), or JSON lines (ECS names)."""

    kind: Literal["access_log"]
    path: Path
    format: Literal["combined", "auth", "json"]
    fields: dict[str, str] | None = None

    def build(self, config: Config, clock: Callable[[], datetime]) -> Built:
        """See `Kind`."""
        from pipeline.sources.access_log import AccessLog
        from pipeline.sources.parsers import ECS, JsonLines, parse_auth, parse_combined

        parsers = {"combined": parse_combined, "auth": parse_auth}
        parser = parsers.get(self.format) or JsonLines(self.fields or ECS)
        return Built([AccessLog(self.name, self.path, parser, clock=clock)])


AnyKind = Annotated[
    Files | Push | Host | Prometheus | Kafka | AccessLogs | ChainOf, Field(discriminator="kind")
]
ANY: TypeAdapter[Kind] = TypeAdapter(AnyKind)


def kinds_of(config: Config) -> list[Kind]:
    """The sources of a configuration as they are described; nothing is opened.

    Raises
    ------
    ConfigError
        A source is not as its kind wants it, or two have one name.
    """
    kinds: list[Kind] = []
    faults: list[str] = []
    for i, given in enumerate(config.sources):
        try:
            kinds.append(ANY.validate_python(given))
        except ValidationError as error:
            faults += told_of(error, f"sources.{i}")
    if faults:
        raise ConfigError("\n".join(faults))
    names = [kind.name for kind in kinds]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"sources: {name} is there {names.count(name)} times; expected once")
    return kinds


def build(config: Config, clock: Callable[[], datetime]) -> Built:
    """All sources of a configuration.

    Raises
    ------
    ConfigError
        As `kinds_of`, or what a source names is not there.
    SourceError
        A broker that has to be asked for its partitions does not answer.
    """
    whole = Built()
    for kind in kinds_of(config):
        built = kind.build(config, clock)
        whole.sources += built.sources
        whole.feeds += built.feeds
        whole.spools |= built.spools
    return whole
