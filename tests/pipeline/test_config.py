"""A configuration is read whole or refused: what, which, value, expected; never a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.trading import SYMBOL_5S
from pipeline.config import Config, ConfigError, read_config, reveal

SOURCE = "sources:\n  - {kind: push, name: p, stream: trades}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "tocsin.yaml"
    path.write_text(text)
    return path


def test_what_is_not_said_has_a_default_beside_the_file(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, SOURCE))
    assert config.home == tmp_path / "tocsin-home"
    assert config.store_url == f"sqlite:///{tmp_path}/tocsin-home/store.db"
    assert SYMBOL_5S in config.chosen({"trades"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sources: [", "line 1, column 11: not readable"),
        ("- a", "expected names and values"),
        ("home: .", "sources: Field required"),
        (SOURCE + "homes: x", "homes = 'x': Extra inputs are not permitted"),
        (SOURCE + "batch: 0", "batch = 0: Input should be greater than or equal to 1"),
        (SOURCE + "models: best", "models = 'best': Input should be 'files', 'registry' or 'cold'"),
        (SOURCE + "views: [trades.none]", "no view 'trades.none'; expected some of trades.symbol"),
    ],
)
def test_a_fault_says_where_and_what_was_expected(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as fault:
        read_config(write(tmp_path, text))
    assert str(fault.value).startswith(str(tmp_path / "tocsin.yaml"))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; expected a configuration"):
        read_config(tmp_path / "tocsin.yaml")


def test_a_view_without_a_source_is_refused() -> None:
    config = Config.model_validate({"sources": [{}], "views": ["system.host_1m"]})
    with pytest.raises(ConfigError, match=r"system\.host_1m needs a source of stream host"):
        config.chosen({"trades"})


@pytest.mark.parametrize(
    "text",
    [
        SOURCE + "store: postgresql://u:hunter2@db/t",
        "sources: [{kind: kafka, name: k, settings: {sasl.password: hunter2}}]",
        "sources: [{kind: chain, name: c, endpoints: ['https://u:hunter2@node']}]",
        "sources: [{kind: x, name: c, deep: [{api_key: hunter2}]}]",
        SOURCE + "password: hunter2",
        SOURCE + "serving: {services: {chain: {signers: {token: {passphrase: hunter2}}}}}",
        SOURCE + "serving: {services: {chain: {contracts: {vault: 'https://u:hunter2@node'}}}}",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as fault:
        read_config(write(tmp_path, text))
    assert "hunter2" not in str(fault.value)
    assert "hunter2" not in repr(fault.value)


@pytest.mark.parametrize(
    "text",
    [
        SOURCE + "serving: {services: {chain: {contracts: {token: '0x01', secret_vault: '0x02'}}}}",
        SOURCE + "serving: {channels: {token: {kind: dashboard}}}",
        "sources: [{kind: prometheus, name: p, fields: {x: tokens_total}, same: {token: eth}}]",
    ],
)
def test_a_name_that_people_chose_is_no_secret(tmp_path: Path, text: str) -> None:
    assert read_config(write(tmp_path, text)).sources


def test_a_secret_is_looked_up_when_it_is_used_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_TEST_SECRET", "hunter2")
    text = SOURCE + "store: postgresql+psycopg://u:${TOCSIN_TEST_SECRET}@db/t"
    config = read_config(write(tmp_path, text))
    assert "hunter2" not in repr(config)
    assert config.store_url == "postgresql+psycopg://u:hunter2@db/t"
    (tmp_path / "secret").write_text("hunter3\n")
    assert reveal(f"file:{tmp_path}/secret") == "hunter3"


def test_a_secret_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"secret \$\{NOT_THERE\}: not set"):
        reveal("a ${NOT_THERE} b", {})
    with pytest.raises(ConfigError, match="secret file:/none/there: No such file"):
        reveal("file:/none/there")
