"""Keys that sign: encrypted on disk, and each bound to the few functions it may call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from eth_account import Account
from web3 import Web3

from pipeline.config import ConfigError, reveal
from serving.playbooks.action import ActionError, ParameterError

__all__ = ["POWERS", "Signer", "selector"]

POWERS: dict[str, tuple[str, ...]] = {
    "guardian": ("pause()",),
    "operator": ("block_address(address)", "lower_limit(uint256)"),
    "admin": ("unpause()", "unblock_address(address)"),
}
"""What the usual signers may call; a guardian can only pause. None may move assets."""


def selector(function: str) -> str:
    """First four bytes of the hash of a function's signature.

    >>> selector("pause()")
    '0x8456cb59'
    """
    return "0x" + bytes(Web3.keccak(text=function))[:4].hex()


class Signer:
    """A key in an encrypted keystore (Web3 Secret Storage) that may call a few functions.

    Parameters
    ----------
    keystore : Path
    passphrase : str
        ``${NAME}`` of the environment or ``file:PATH``; looked up when first needed.
    may : iterable of str
        Signatures of functions, such as ``pause()``. Whatever else it is asked to sign it
        refuses, whoever asks.

    Raises
    ------
    ConfigError
        The keystore cannot be read, or names no address.
    """

    def __init__(self, keystore: Path, passphrase: str, may: Iterable[str]) -> None:
        self.may = frozenset(may)
        self._selectors = {selector(function) for function in self.may}
        self._passphrase = passphrase
        try:
            self._keystore: dict[str, Any] = json.loads(keystore.read_text(encoding="utf-8"))
            self.address = "0x" + str(self._keystore["address"]).lower().removeprefix("0x")
        except (OSError, ValueError, KeyError, TypeError):
            raise ConfigError(f"keystore {keystore.name}: expected a readable keystore") from None

    def __repr__(self) -> str:
        return f"Signer({self.address}, may={sorted(self.may)})"

    def sign(self, transaction: Mapping[str, Any]) -> tuple[str, str]:
        """A transaction signed: its raw form and its hash.

        Raises
        ------
        ParameterError
            It is none of what this key may call, or sends ether.
        ActionError
            The key cannot be had now.
        """
        data = str(transaction.get("data", ""))
        if data[:10] not in self._selectors or transaction.get("value"):
            raise ParameterError(f"{self.address} may only call {', '.join(sorted(self.may))}")
        signed = Account.sign_transaction(dict(transaction), self._key)
        return "0x" + signed.raw_transaction.hex(), "0x" + signed.hash.hex()

    @cached_property
    def _key(self) -> bytes:
        try:
            return bytes(Account.decrypt(self._keystore, reveal(self._passphrase)))
        except ConfigError as error:  # names where the passphrase is kept, and not the passphrase
            raise ActionError(f"the key of {self.address}: {error}") from None
        except ValueError:
            raise ActionError(f"the key of {self.address} does not open") from None
