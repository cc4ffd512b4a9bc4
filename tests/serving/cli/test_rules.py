"""Rules of others become a pack that the house loads; what does not map is named."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from pipeline.files import InputError
from serving.cli import app
from serving.rules.load import PACKS, load_pack, load_packs

LOGINS = """
title: Failed login
name: failed_login
status: test
logsource: {category: authentication}
detection: {selection: {event.outcome: failure}, condition: selection}
level: medium
---
title: Guessing
correlation:
  type: event_count
  rules: [failed_login]
  group-by: [user.name]
  timespan: 5m
  condition: {gte: 10}
level: high
"""
PROCESS = """
title: Odd process
status: test
logsource: {category: process_creation, product: windows}
detection: {selection: {Image|endswith: whoami.exe}, condition: selection}
level: high
"""


def imported(folder: Path, *texts: str, out: Path | None = None) -> Result:
    files = [folder / f"{number}.yml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    words = [
        "rules",
        "import",
        *map(str, files),
        "--out",
        str(out or folder / "pack.yaml"),
        "--json",
    ]
    return CliRunner().invoke(app, words, catch_exceptions=False)


def test_what_maps_is_a_pack_beside_those_of_the_house(tmp_path: Path) -> None:
    answer = imported(tmp_path, LOGINS, PROCESS)
    said = json.loads(answer.stdout)
    assert answer.exit_code == 0
    assert said["mapped"] == ["sigma.failed_login.seen", "sigma.guessing.seen"]
    assert list(said["refused"]) == ["Odd process"]
    pack = load_pack(tmp_path / "pack.yaml")
    assert [ladder.rungs[0].limit for ladder in pack.ladders] == [1, 10]
    assert pack in load_packs((PACKS, tmp_path / "pack.yaml"))


def test_without_a_rule_that_maps_nothing_is_written(tmp_path: Path) -> None:
    answer = imported(tmp_path, PROCESS)
    assert answer.exit_code == 1
    assert list(json.loads(answer.stdout)["refused"]) == ["Odd process"]
    assert not (tmp_path / "pack.yaml").exists()


@pytest.mark.parametrize(("text", "why"), [("a: [", "0.yml: not YAML"), ("é: \udcff", "0.yml: ")])
def test_a_file_that_is_no_yaml_is_named(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "0.yml").write_bytes(text.encode(errors="surrogateescape"))
    words = ["rules", "import", str(tmp_path / "0.yml"), "--out", str(tmp_path / "pack.yaml")]
    with pytest.raises(InputError, match=why):
        CliRunner().invoke(app, words, catch_exceptions=False)


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    words = ["rules", "import", str(tmp_path / "none.yml"), "--out", str(tmp_path / "p.yaml")]
    with pytest.raises(InputError, match=r"none\.yml: No such file or directory; expected Sigma"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    with pytest.raises(InputError, match=r"p\.yaml: No such file or directory; expected a file"):
        imported(tmp_path, LOGINS, out=tmp_path / "none" / "p.yaml")


def test_without_pysigma_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sigma.collection", None)
    with pytest.raises(InputError, match="expected the extra sigma"):
        imported(tmp_path, LOGINS)
