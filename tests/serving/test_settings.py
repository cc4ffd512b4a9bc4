"""What may stand under ``serving:``, and what is said of what may not."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from pipeline.config import Config, ConfigError
from serving.settings import DEFAULT, Settings, settings_of

SOURCE = {"kind": "host", "name": "this"}


def config(**serving: Any) -> Config:
    """A configuration with these settings."""
    return Config.model_validate({"sources": [SOURCE], "serving": serving})


def test_everything_has_a_default() -> None:
    settings = settings_of(config())
    assert settings == Settings()
    assert settings.host == "127.0.0.1"
    assert settings.url == "http://127.0.0.1:8787"
    assert Config.model_validate(yaml.safe_load(DEFAULT)).serving == {}


def test_links_begin_where_people_come_from() -> None:
    assert settings_of(config(public_url="https://bell.example/")).url == "https://bell.example"
    tls = {"certificate": "a.pem", "key": "b.pem"}
    assert settings_of(config(tls=tls, port=443)).url == "https://127.0.0.1:443"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prot": 80}, "serving.prot"),
        ({"port": 70_000}, "serving.port = 70000"),
        ({"budgets": {"none": 1.0}}, "no view 'none'"),
        ({"budgets": {"trades.symbol_5s": 0}}, "above 0"),
        ({"limits": {"body_mb": 0}}, "serving.limits.body_mb"),
        ({"routes": [{"name": "a", "waves": []}, {"name": "a", "waves": []}]}, "there twice"),
        ({"playbooks": {"services": {"mainframe": {}}}}, "serving.playbooks.services.mainframe"),
    ],
)
def test_a_fault_is_told_by_its_place(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        settings_of(config(**given))


def test_a_secret_in_the_open_is_refused() -> None:
    channels = {"page": {"kind": "pagerduty", "api_key": "abc"}}
    with pytest.raises(ValueError, match=r"serving\.channels\.page\.api_key holds a secret"):
        config(channels=channels)
