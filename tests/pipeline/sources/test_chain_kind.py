"""A chain of a configuration is followed as the configuration says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config import Config, ConfigError
from pipeline.sources.chain_kind import ChainOf
from pipeline.sources.chain_rows import Watched

GIVEN = {"kind": "chain", "name": "main", "endpoints": ["http://127.0.0.1:9"]}
VAULT, TOKEN = "0x" + "Ab" * 20, "0x" + "2" * 40


def config(home: Path) -> Config:
    return Config.model_validate({"home": home, "sources": [GIVEN]})


def test_watched_accounts_are_asked_what_they_can_answer(tmp_path: Path) -> None:
    vault = {"address": VAULT, "ether": True, "owes": "liabilities()"}
    kind = ChainOf.model_validate(GIVEN | {"watched": [vault, TOKEN]})
    found = kind.follower(config(tmp_path)).watched
    assert found == {
        VAULT.lower(): Watched(VAULT.lower(), ether=True, owes="liabilities()"),
        TOKEN: Watched(TOKEN),
    }
    assert ChainOf.model_validate(GIVEN).follower(config(tmp_path)).watched is None


def test_its_past_is_kept_under_its_name_when_it_is_read(tmp_path: Path) -> None:
    chain = ChainOf.model_validate(GIVEN).follower(config(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert chain._past._base
    chain.close()
    assert (tmp_path / "chain" / "main.sqlite").exists()


def test_labels_are_kept_in_lower_case(tmp_path: Path) -> None:
    kind = ChainOf.model_validate(GIVEN | {"labels": {"mixer": [VAULT], "exchange": [TOKEN]}})
    chain = kind.follower(config(tmp_path))
    assert chain._past._labels == {VAULT.lower(): "mixer", TOKEN: "exchange"}


@pytest.mark.parametrize(
    "given",
    [
        {"endpoints": []},
        {"confirmations": -1},
        {"watched": ["0x12"]},
        {"watched": [{"address": VAULT, "owes": "liabilities"}]},
        {"watched": [{"address": VAULT, "owed": "liabilities()"}]},
        {"labels": {"friend": [VAULT]}},
        {"streams": ["trades"]},
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChainOf.model_validate(GIVEN | given)


def test_an_endpoint_that_is_no_url_is_refused_without_its_text(tmp_path: Path) -> None:
    kind = ChainOf.model_validate(GIVEN | {"endpoints": ["http://127.0.0.1:9", "node/secret"]})
    with pytest.raises(ConfigError, match="source main: endpoint 2 is no URL") as refused:
        kind.follower(config(tmp_path))
    assert "secret" not in str(refused.value)
