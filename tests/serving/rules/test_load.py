"""Packs are read whole or refused in one line: file, rule, field, what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.rules.load import PACKS, RuleError, load_pack, load_packs

CASE = [[{"cpu_max": 1}]]
RUNG = {"id": "a.high", "limit": 5, "severity": "high", "hit": CASE, "miss": CASE}
LADDER = {
    "family": "a", "title": "A", "view": "system.host_1m", "feature": "cpu_max",
    "operator": ">", "summary": "{entity}", "rungs": [RUNG],
}  # fmt: skip
HAPPENING = [{"at": "1m", "rule": "a.high"}]
STORY = {
    "id": "story.a", "title": "S", "kind": "count", "rules": ["a.high"], "at_least": 2,
    "severity": "high", "summary": "{entity}", "hit": [HAPPENING], "miss": [HAPPENING],
}  # fmt: skip


def _write(folder: Path, name: str = "mine.yaml", **parts: Any) -> Path:
    file = folder / name
    file.write_text(yaml.safe_dump({"pack": "mine", "about": "", **parts}), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"feature": "cpu"}, "mine.yaml: a: system.host_1m has no feature 'cpu'; expected one of"),
        ({"view": "host"}, "mine.yaml: a: no view 'host'; expected one of trades.symbol_5s"),
        ({"summary": "{cpu}"}, "mine.yaml: a.high: summary is '{cpu}': 'cpu'; expected only {ent"),
        ({"summary": "{value:q}"}, "mine.yaml: a.high: summary is '{value:q}': .*; expected only"),
        (
            {"labels": {"group": "{symbol}"}},
            "mine.yaml: a.high: group is '{symbol}': 'symbol'; expected only .*{host}",
        ),
        ({"operator": "=>"}, "mine.yaml: ladders.a.operator: Input should be '>'"),
        ({"rungs": [RUNG | {"limit": "x"}]}, "mine.yaml: ladders.a.rungs.a.high.limit: Input"),
        (
            {"rungs": [RUNG | {"hit": [[{"cpu": 1}]]}]},
            "mine.yaml: a.high: system.host_1m has no feature 'cpu'",
        ),
        ({"also": [{"feature": "x", "operator": ">", "limit": 1}]}, "has no feature 'x'"),
    ],
)
def test_a_mistake_in_a_ladder_is_one_line(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    file = _write(tmp_path, ladders=[LADDER | change])
    with pytest.raises(RuleError, match=complaint) as raised:
        load_pack(file)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"rules": ["a.low"]}, "story.a: rules: no 'a.low'; expected a rule of any pack"),
        ({"rules": ["story.a"]}, "story.a: rules: no 'story.a'; .* or a correlation before this"),
        ({"by": "symbol"}, "story.a: by is 'symbol', which a.high has not; expected .*host"),
        ({"summary": "{limit}"}, "story.a: summary is '{limit}'"),
        ({"by": "actor", "labels": {"group": "{host}"}}, "story.a: group is '{host}': 'host'"),
        ({"hit": [[{"at": "1m", "rule": "b"}]]}, "story.a: a case names 'b'; expected a rule"),
        ({"within": "soon"}, "correlations.story.a.within: .*expected a number and s, m, h or d"),
    ],
)
def test_a_mistake_in_a_correlation_is_one_line(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    file = _write(tmp_path, ladders=[LADDER], correlations=[STORY | change])
    with pytest.raises(RuleError, match=complaint) as raised:
        load_packs([file])
    assert str(raised.value).startswith("mine.yaml: ")
    assert "\n" not in str(raised.value)


def test_packs_may_refer_to_rules_of_each_other_in_any_order(tmp_path: Path) -> None:
    _write(tmp_path, "1.yaml", correlations=[STORY])
    _write(tmp_path, "2.yaml", ladders=[LADDER])
    first, second = load_packs([tmp_path])
    assert first.correlations[0].rules == [second.ladders[0].rungs[0].id]


def test_an_id_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    for name in ("1.yaml", "2.yaml"):
        _write(tmp_path, name, ladders=[LADDER])
    with pytest.raises(RuleError, match=r"2\.yaml: a\.high: id is in 1\.yaml too; expected one"):
        load_packs([tmp_path])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"pack: [", "mine.yaml: not YAML: "),
        (b"\xff\xfe\x00", "mine.yaml: not YAML: "),
        (b"- 1", "mine.yaml: the file: Input should be"),
        (b"!!python/object/apply:os.system [ls]", "mine.yaml: not YAML: could not determine"),
    ],
)
def test_what_is_no_pack_is_refused_and_runs_nothing(
    tmp_path: Path, text: bytes, complaint: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(text)
    with pytest.raises(RuleError, match=complaint):
        load_pack(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"gone\.yaml: No such file or directory; expected a rule"):
        load_packs([tmp_path / "gone.yaml"])


def test_what_is_learned_names_a_feature_there_is(tmp_path: Path) -> None:
    told = {"requirement": "TE-1", "view": "system.host_1m", "feature": "x", "how": ""}
    with pytest.raises(RuleError, match=r"TE-1: system\.host_1m has no feature 'x'"):
        load_pack(_write(tmp_path, learned=[told]))


def test_our_own_packs_are_read() -> None:
    assert {pack.pack for pack in load_packs()} == {file.stem for file in PACKS.glob("*.yaml")}
