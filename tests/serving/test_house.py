"""The house built from a configuration: what is in it, and what stops it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline.config import Config, ConfigError
from serving.house import House
from serving.store.tables import runs
from tests.serving.playbooks.running import ALERT, INCIDENT

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def opened(folder: Path, **serving: Any) -> House:
    """A house in a folder."""
    source = {"kind": "push", "name": "hosts", "stream": "host"}
    config = Config.model_validate({"home": folder, "sources": [source], "serving": serving})
    return House.open(config, clock=lambda: NOON)


def test_the_first_key_is_made_once(tmp_path: Path) -> None:
    house = opened(tmp_path)
    key = house.first_key()
    assert key is not None
    assert house.first_key() is None
    principal = house.gatekeeper.key(key)
    assert principal is not None
    assert principal.role == "admin"
    house.close()


def test_every_rule_and_playbook_of_the_house_is_there(tmp_path: Path) -> None:
    house = opened(tmp_path)
    assert "host" in {pack.pack for pack in house.packs}
    assert "contract_compromise" in house.library
    assert set(house.spools) == {"host"}
    assert "dashboard" in house.outbox.channels
    assert house.faults() == {}
    house.close()


@pytest.mark.parametrize(("playbooks", "count"), [({}, 1), ({"start": False}, 0)])
def test_playbooks_start_where_they_may(
    tmp_path: Path, playbooks: dict[str, Any], count: int
) -> None:
    house = opened(tmp_path, playbooks=playbooks)
    with house.engine.begin() as connection:
        for name in ("contract_compromise", "unknown", ""):
            house.start(connection, INCIDENT, {**ALERT, "playbook": name}, NOON)
        found = connection.execute(sa.select(sa.func.count()).select_from(runs)).scalar()
    assert found == count
    house.close()


def test_what_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="serving"):
        opened(tmp_path, nothing=1)
    with pytest.raises(ConfigError, match="expected one of"):
        opened(tmp_path, channels={"a": {"kind": "pigeon"}})
