"""Connections that playbook actions use, by name, as the configuration has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.config import Config, Strict, reveal
from pipeline.lake import Lake

__all__ = ["ChainService", "PlatformService", "Services", "SignerFile", "connect"]


class PlatformService(Strict):
    """The platform's admin API; ``token`` as ``${NAME}`` or ``file:PATH``."""

    url: str = Field(pattern=r"^https?://")
    token: str


class SignerFile(Strict):
    """An encrypted keystore, its passphrase (``${NAME}`` or ``file:PATH``), what it may call."""

    keystore: Path
    passphrase: str
    may: tuple[str, ...] = ()


class ChainService(Strict):
    """A chain: endpoints in order of preference, signers and contracts by name."""

    endpoints: tuple[str, ...] = Field(min_length=1)
    signers: dict[str, SignerFile] = Field(default_factory=dict)
    contracts: dict[str, str] = Field(default_factory=dict)


class Services(Strict):
    """What actions may reach beside the store and the lake; an action without its service fails."""

    platform: PlatformService | None = None
    chain: ChainService | None = None


def connect(services: Services, config: Config, lake: Lake) -> dict[str, Any]:
    """The connections; nothing is asked of the other side yet.

    Raises
    ------
    ConfigError
        A secret or a keystore is not there.
    """
    found: dict[str, Any] = {"lake": lake, "evidence": config.home / "evidence"}
    if services.platform is not None:
        from serving.playbooks.actions.admin import client

        found["platform"] = client(services.platform.url, reveal(services.platform.token))
    if services.chain is not None:
        from pipeline.sources.chain_rpc import Rpc
        from serving.playbooks.actions.chain import Chain
        from serving.playbooks.actions.signer import POWERS, Signer

        signers = {
            name: Signer(one.keystore, one.passphrase, one.may or POWERS.get(name, ()))
            for name, one in services.chain.signers.items()
        }
        rpc = Rpc([reveal(endpoint) for endpoint in services.chain.endpoints])
        found["chain"] = Chain(rpc, signers, services.chain.contracts)
    return found
