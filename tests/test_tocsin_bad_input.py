"""Bad input ends with exit code 2 and one line that says what and where; nothing is written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import tocsin

ROOT = Path(__file__).parents[1]
START = datetime(2026, 1, 30, tzinfo=UTC)

Refused = Callable[..., str]


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Refused:
    """Run a command below ``tmp_path`` that must fail; give back its one line."""

    def call(*arguments: str | Path) -> str:
        monkeypatch.chdir(tmp_path)
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        monkeypatch.setattr(sys, "argv", ["tocsin", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            tocsin.main()
        said = capsys.readouterr()
        assert stop.value.code == 2
        assert said.out == ""
        assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
        line, end = said.err[:-1], said.err[-1:]
        assert end == "\n"
        assert "\n" not in line
        assert line.startswith("tocsin: ")
        return line

    return call


def trades(count: int = 40) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ts": [START + timedelta(seconds=n) for n in range(count)],
            "symbol": "A",
            "price": 1.5,
            "qty": 2.0,
            "side": "buy",
        }
    )


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A folder with one file of each kind of bad."""
    trades().write_parquet(tmp_path / "good.parquet")
    whole = (tmp_path / "good.parquet").read_bytes()
    (tmp_path / "truncated.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.parquet").touch()
    trades().clear().write_parquet(tmp_path / "no_rows.parquet")
    trades().drop("qty").write_csv(tmp_path / "column.csv")
    here = pl.int_range(pl.len()) == 11
    price = pl.when(here).then(float("nan")).otherwise("price")
    trades().with_columns(price.alias("price")).write_parquet(tmp_path / "nan.parquet")
    (tmp_path / "host.csv").write_text("ts,host,cpu\n2026-01-30T00:00:00Z,web-1,12.5\n")
    (tmp_path / "trades.xlsx").write_text("x")
    return tmp_path


CASES = [
    ("truncated.parquet", "not a readable parquet file"),
    ("empty.parquet", "the file is empty"),
    ("no_rows.parquet", "holds no rows"),
    ("column.csv", "stream trades: column qty is missing; found ts, symbol, price, side"),
    ("nan.parquet", "stream trades: row 11: non finite: price = nan; expected a finite number > 0"),
    ("host.csv", "column symbol is missing; found ts, host, cpu"),
    ("trades.xlsx", "unknown kind of file; expected .parquet, .csv, .jsonl, .ndjson"),
    ("none.parquet", "no such file"),
]


@pytest.mark.parametrize(("name", "message"), CASES, ids=[name for name, _ in CASES])
@pytest.mark.parametrize("out", [["--out", "w.parquet"], ["--json"]], ids=["file", "lake"])
def test_a_file_that_cannot_be_used_is_refused(
    refused: Refused, bad: Path, name: str, message: str, out: list[str]
) -> None:
    line = refused("windows", "trades.symbol_5s", "good.parquet", name, *out)
    assert line.startswith(f"tocsin: {name}: ")
    assert message in line
    assert not (bad / ".tocsin").exists()


def test_a_folder_as_output_is_refused(refused: Refused, bad: Path) -> None:
    (bad / "folder").mkdir()
    line = refused("windows", "trades.symbol_5s", "good.parquet", "--out", "folder")
    assert "folder: is a directory; expected the name of a file" in line


@pytest.mark.parametrize(
    "command", [["windows", "trades.symbol_7s", "good.parquet"], ["train", "x"]]
)
def test_an_unknown_view_is_refused_with_those_there_are(
    refused: Refused, bad: Path, command: list[str]
) -> None:
    line = refused(*command)
    assert f"no view '{command[1]}'" in line
    assert "trades.symbol_5s" in line


def test_training_without_windows_is_refused(refused: Refused, bad: Path) -> None:
    assert "trades.symbol_5s is not in the lake" in refused("train", "trades.symbol_5s")


def test_training_on_too_few_windows_is_refused(
    refused: Refused, bad: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from features.silence import batch_windows
    from features.trading import SYMBOL_5S, TRADES
    from pipeline.lake import Lake

    events = TRADES.validate(trades(), now=START + timedelta(days=1)).events
    Lake(bad / "home" / "lake").append(SYMBOL_5S.name, batch_windows(SYMBOL_5S, events))
    line = refused("train", "trades.symbol_5s", "--home", "home")
    assert "8 windows are too few to learn from; expected at least 2,000" in line


def test_a_file_in_the_place_of_the_lake_is_refused(refused: Refused, bad: Path) -> None:
    (bad / "home").mkdir()
    (bad / "home" / "lake").write_text("x")
    line = refused("windows", "trades.symbol_5s", "good.parquet", "--home", "home")
    assert "is a file; expected a directory" in line


@pytest.mark.parametrize("command", [["score", "set", "--out", "s"], ["evaluate", "set"]])
def test_a_folder_that_is_no_data_set_is_refused(
    refused: Refused, bad: Path, command: list[str]
) -> None:
    assert "set: no meta.json; expected a data set folder" in refused(*command)
    (bad / "set").mkdir()
    (bad / "set" / "meta.json").write_text(json.dumps({"stream": "trades", "layout": "events"}))
    assert "set/events.parquet: no such file" in refused(*command)


def test_evaluating_without_labels_is_refused(refused: Refused, bad: Path) -> None:
    (bad / "set").mkdir()
    (bad / "set" / "meta.json").write_text(json.dumps({"stream": "trades", "layout": "events"}))
    (bad / "good.parquet").rename(bad / "set" / "events.parquet")
    line = refused("evaluate", "set")
    assert "set/labels.csv: expected labels with entity, start and end" in line


@pytest.mark.parametrize(
    "command",
    [
        ["trian"],
        ["windows", "trades.symbol_5s"],
        ["score", "set"],
        ["train", "trades.symbol_5s", "--seed", "-1"],
        ["train", "trades.symbol_5s", "--since", "yesterday"],
    ],
)
def test_a_mistaken_command_line_ends_with_two(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tocsin", *command])
    with pytest.raises(SystemExit) as stop:
        tocsin.main()
    said = capsys.readouterr()
    assert (stop.value.code, said.out) == (2, "")
    assert said.err


def test_a_fault_of_ours_is_not_told_as_a_users(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("pipeline.doctor.examine", fail)
    monkeypatch.setattr(sys, "argv", ["tocsin", "doctor"])
    with pytest.raises(ZeroDivisionError):
        tocsin.main()


def test_as_a_process_too(bad: Path) -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "tocsin.py", "windows", "trades.symbol_5s", "nan.parquet"],
        capture_output=True,
        text=True,
        cwd=bad,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.count("\n") == 1
    assert "nan.parquet: stream trades: row 11" in ran.stderr
    assert not (bad / ".tocsin").exists()
