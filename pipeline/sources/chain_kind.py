"""A chain as a configuration names it: endpoints, watched accounts, and who is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from features.catalogue import STREAMS
from pipeline.config import Config, ConfigError, Strict, reveal
from pipeline.sources.kind import Built, Kind

if TYPE_CHECKING:  # the chain's libraries are an extra
    from pipeline.sources.chain import Chain
    from pipeline.sources.chain_rows import Watched

__all__ = ["ChainOf"]

Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]
Function = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*\(\)$")]


class Account(Strict):
    """A watched account and what its state answers; see `pipeline.sources.chain_rows.Watched`."""

    address: Address
    ether: bool = False
    owes: Function | None = None
    supply: Function | None = None


class ChainOf(Kind):
    """Transactions and calls of a chain, from JSON-RPC endpoints in order of preference.

    ``labels`` names mixers, bridges and exchanges; ``websocket`` announces new heads.
    """

    kind: Literal["chain"]
    endpoints: tuple[str, ...] = Field(min_length=1)
    start: int = Field(0, ge=0)
    confirmations: int = Field(6, ge=0)
    watched: tuple[Address | Account, ...] | None = None
    labels: dict[Literal["mixer", "bridge", "exchange"], tuple[Address, ...]] = Field(
        default_factory=dict
    )
    streams: tuple[Literal["transactions", "calls"], ...] = ("transactions", "calls")
    websocket: str | None = None

    def build(self, config: Config, clock: Callable[[], datetime]) -> Built:
        """See `Kind`."""
        from pipeline.sources.chain import ChainSource

        chain = self.follower(config)
        return Built(
            [ChainSource(chain, STREAMS[s], name=f"{self.name}.{s}") for s in self.streams]
        )

    def follower(self, config: Config) -> Chain:
        """The chain, with connections of its own."""
        from pipeline.sources.chain import Chain
        from pipeline.sources.chain_rpc import Rpc

        return Chain(
            Rpc(self._endpoints()),
            watched=None if self.watched is None else list(self._watched()),
            start=self.start,
            confirmations=self.confirmations,
            labels={a.lower(): label for label, of in self.labels.items() for a in of},
            past=config.home / "chain" / f"{self.name}.sqlite",
        )

    def _endpoints(self) -> list[str]:
        urls = [reveal(endpoint) for endpoint in self.endpoints]
        for number, url in enumerate(urls, start=1):
            if not url.startswith(("http://", "https://")):
                raise ConfigError(
                    f"source {self.name}: endpoint {number} is no URL of HTTP; "
                    "expected one that begins with http:// or https://"
                )
        return urls

    def _watched(self) -> Iterator[Watched]:
        from pipeline.sources.chain_rows import Watched

        for given in self.watched or ():
            account = Account(address=given) if isinstance(given, str) else given
            yield Watched(account.address.lower(), account.ether, account.owes, account.supply)
