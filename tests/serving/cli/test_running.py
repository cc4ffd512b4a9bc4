"""The commands that run the house: what they say of a configuration that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.config import ConfigError
from serving.cli import app


@pytest.mark.parametrize("command", ["up", "serve", "stream"])
def test_a_configuration_that_cannot_be_used_starts_nothing(tmp_path: Path, command: str) -> None:
    config = tmp_path / "tocsin.yaml"
    config.write_text("home: house\nsources: [{kind: host, name: a}]\nserving: {prot: 1}\n")
    result = CliRunner().invoke(app, [command, "--config", str(config)])
    assert isinstance(result.exception, ConfigError)
    assert "serving.prot" in str(result.exception)
