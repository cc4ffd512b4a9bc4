"""Connections of actions: made of the configuration, secrets looked up."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import Config, ConfigError
from pipeline.lake import Lake
from serving.services import Services, connect

SOURCE = {"kind": "host", "name": "this"}


def test_what_is_named_is_connected_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config.model_validate({"home": tmp_path, "sources": [SOURCE]})
    lake = Lake(tmp_path / "lake")
    assert set(connect(Services(), config, lake)) == {"lake", "evidence"}
    given = Services.model_validate(
        {
            "platform": {"url": "https://platform", "token": "${PLATFORM_TOKEN}"},
            "chain": {"endpoints": ["http://node:8545"], "contracts": {"vault": "0x1"}},
        }
    )
    with pytest.raises(ConfigError, match="PLATFORM_TOKEN"):
        connect(given, config, lake)
    monkeypatch.setenv("PLATFORM_TOKEN", "abc")
    found = connect(given, config, lake)
    assert found["chain"].contracts == {"vault": "0x1"}
    assert found["platform"].headers["authorization"] == "Bearer abc"
    found["platform"].close()
