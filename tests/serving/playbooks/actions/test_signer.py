"""Keys: encrypted, bound to what they may call, and never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from pipeline.config import ConfigError
from pipeline.simulate.chain.ledger import Wallet
from serving.playbooks.action import ActionError, ParameterError
from serving.playbooks.actions.signer import POWERS, Signer, selector
from tests.serving.playbooks.actions.acting import PASSPHRASE, keystore

WALLET = Wallet("guardian", bytes(31) + b"\x07")
CALL: dict[str, Any] = {
    "chainId": 1,
    "nonce": 3,
    "to": "0x" + "00" * 19 + "01",
    "value": 0,
    "gas": 100_000,
    "maxFeePerGas": 2,
    "maxPriorityFeePerGas": 1,
    "data": selector("pause()"),
}


def signer(folder: Path, passphrase: str | None = None) -> Signer:
    file = keystore(folder, WALLET)
    return Signer(file, passphrase or f"file:{folder / 'passphrase'}", POWERS["guardian"])


def test_what_it_may_call_is_signed_by_its_key(tmp_path: Path) -> None:
    raw, name = signer(tmp_path).sign(CALL)
    assert str(Account.recover_transaction(raw)).lower() == signer(tmp_path).address
    assert len(name) == 66


@pytest.mark.parametrize(
    "change",
    [
        *({"data": selector(f)} for f in ("unpause()", "rescue(address,uint256)")),
        {"data": "0x"},
        {"data": ""},
        {"value": 1},
    ],
)
def test_a_guardian_signs_nothing_but_a_pause(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=r"may only call pause\(\)"):
        signer(tmp_path).sign({**CALL, **change})


def test_no_signer_may_move_assets() -> None:
    assert not [f for may in POWERS.values() for f in may if f.startswith(("rescue", "transfer"))]


def test_the_passphrase_may_stand_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDIAN", PASSPHRASE)
    assert signer(tmp_path, "${GUARDIAN}").sign(CALL) == signer(tmp_path).sign(CALL)


def test_a_key_that_does_not_open_is_said_without_secrets(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("hunter2")
    for passphrase in (f"file:{wrong}", "${NOT_SET_ANYWHERE}", "file:/nowhere"):
        with pytest.raises(ActionError) as told:
            signer(tmp_path, passphrase).sign(CALL)
        assert "hunter2" not in str(told.value)
        assert told.value.__cause__ is None


def test_a_keystore_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "k.json"
    for text in ("", "[]", "{}"):
        file.write_text(text)
        with pytest.raises(ConfigError, match=r"keystore k\.json"):
            Signer(file, "x", ())
    with pytest.raises(ConfigError):
        Signer(tmp_path / "none.json", "x", ())
