"""The command line: what each command does, and that its JSON is one clean document."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tocsin

ROOT = Path(__file__).parents[1]
START = datetime(2026, 1, 30, tzinfo=UTC)
COLUMNS = ["entity", "start", "end", "score", "p", "per_day", "warm"]
HEAVY = ("polars", "numpy", "numba", "sklearn", "river", "pandas", "pyarrow", "deltalake", "psutil")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process: exit code, stdout, stderr."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tocsin", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            tocsin.main()
        said = capsys.readouterr()
        return int(stop.value.code or 0), said.out, said.err

    return call


def tocsin_process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "tocsin", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def done(ran: tuple[int, str, str]) -> Any:
    """The JSON document of a command that succeeded."""
    code, out, err = ran
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled data set: three markets, eight hours, a rush of orders in one after seven."""
    rng = np.random.default_rng(1)
    frames = []
    for symbol in "ABC":
        seconds = np.sort(rng.uniform(0, 8 * 3600, 1_000))
        if symbol == "B":
            seconds = np.sort(np.concatenate([seconds, 7 * 3600 + rng.gamma(1.3, 15, 300)]))
        frames.append(
            pl.DataFrame(
                {
                    "ts": [START + timedelta(seconds=float(s)) for s in seconds],
                    "symbol": symbol,
                    "price": rng.choice([0.5, 0.75, 1.0], len(seconds)),
                    "qty": rng.choice([0.25, 1.0, 4.0], len(seconds)),
                    "side": rng.choice(["buy", "sell"], len(seconds)),
                }
            )
        )
    folder = tmp_path_factory.mktemp("sets") / "few"
    folder.mkdir()
    pl.concat(frames).sort("ts").write_parquet(folder / "events.parquet")
    (folder / "meta.json").write_text(json.dumps({"stream": "trades", "layout": "events"}))
    at = (START + timedelta(hours=7)).isoformat()
    (folder / "labels.csv").write_text(f"entity,start,end\nB,{at},{at}\n")
    return folder


@pytest.fixture(scope="module")
def home(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose lake holds the windows of the data set."""
    home = tmp_path_factory.mktemp("home")
    made = tocsin_process(
        "windows", "trades.symbol_5s", dataset / "events.parquet", "--home", home, "--json"
    )
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""
    assert json.loads(made.stdout)["out"] == str(home / "lake")
    return home


def test_windows_writes_a_file_that_pandas_opens(run: Run, dataset: Path, tmp_path: Path) -> None:
    import pandas as pd

    out = tmp_path / "w"
    events = dataset / "events.parquet"
    told = done(run("windows", "trades.symbol_5s", events, "--out", out, "--json"))
    frame = pd.read_parquet(out)
    assert told == {
        "view": "trades.symbol_5s",
        "events": 3_300,
        "refused": {},
        "windows": len(frame),
        "out": str(out),
    }
    assert frame["count"].sum() == 3_300
    assert list(frame.columns[:3]) == ["entity", "start", "end"]


def test_windows_without_out_go_to_the_lake(
    run: Run, home: Path, dataset: Path, tmp_path: Path
) -> None:
    from pipeline.lake import Lake

    done(
        run(
            "windows",
            "trades.symbol_5s",
            dataset / "events.parquet",
            "--out",
            tmp_path / "w",
            "--json",
        )
    )
    in_lake = Lake(home / "lake").windows("trades.symbol_5s")
    assert_frame_equal(in_lake, pl.read_parquet(tmp_path / "w"))


def test_the_home_may_come_from_the_environment(
    run: Run, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path / "there"))
    monkeypatch.chdir(tmp_path)
    told = done(run("windows", "trades.symbol_1m", dataset / "events.parquet", "--json"))
    assert told["out"] == str(tmp_path / "there" / "lake")
    assert [p.name for p in tmp_path.iterdir()] == ["there"]


def test_refused_rows_go_to_their_own_file(run: Run, dataset: Path, tmp_path: Path) -> None:
    events = pl.read_parquet(dataset / "events.parquet")
    events.with_columns(
        pl.when(pl.int_range(pl.len()) < 7).then(float("nan")).otherwise("price").alias("price")
    ).write_parquet(tmp_path / "e.parquet")
    told = done(
        run(
            *("windows", "trades.symbol_5s", tmp_path / "e.parquet", "--json"),
            *("--out", tmp_path / "w.parquet", "--refused", tmp_path / "r.parquet"),
        )
    )
    assert (told["events"], told["refused"]) == (3_293, {"non_finite": 7})
    assert len(pl.read_parquet(tmp_path / "r.parquet")) == 7


def test_train_writes_a_model_of_the_windows_in_the_lake(run: Run, home: Path) -> None:
    told = done(run("train", "trades.symbol_5s", "--home", home, "--json"))
    assert told["view"] == "trades.symbol_5s"
    assert told["windows"] > 15_000
    assert told["model"] == str(home / "models" / "trades.symbol_5s.npz")
    assert Path(told["model"]).is_file()


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [("01:00:00", "03:00:00", 2), ("06:00:00", None, 2), (None, "02:00:00", 2)],
)
def test_train_learns_the_time_asked_for_as_utc(
    run: Run, home: Path, since: str | None, until: str | None, hours: int
) -> None:
    asked = [("--since", since), ("--until", until)]
    words = [w for name, at in asked if at for w in (name, f"2026-01-30T{at}")]
    told = done(run("train", "trades.symbol_5s", "--home", home, "--json", *words))
    # Windows of a market begin with its first trade, and end with the last of all.
    assert told["windows"] == pytest.approx(3 * hours * 720, abs=3 * 60)


def test_score_writes_the_columns_of_the_layout_without_labels(
    run: Run, dataset: Path, tmp_path: Path
) -> None:
    blind = tmp_path / "blind"
    blind.mkdir()
    for name in ("meta.json", "events.parquet"):
        (blind / name).write_bytes((dataset / name).read_bytes())
    out = tmp_path / "s.parquet"
    told = done(run("score", blind, "--out", out, "--json"))
    scores = pl.read_parquet(out)
    assert scores.columns == COLUMNS
    assert told == {
        "set": "blind",
        "layout": "events",
        "scored": len(scores),
        "out": str(out),
    }
    done(run("score", dataset, "--out", tmp_path / "l.parquet", "--json"))
    assert_frame_equal(pl.read_parquet(tmp_path / "l.parquet"), scores, check_exact=True)


def test_evaluate_judges_each_data_set(run: Run, dataset: Path) -> None:
    results = done(run("evaluate", dataset, dataset, "--json"))
    assert [result["set"] for result in results] == ["few", "few"]
    assert results[0] == results[1]
    for name in ("ours", "forest", "trivial", "random"):
        assert set(results[0][name]) == {"recall@0.02", "recall@0.1", "recall@0.5"}
        assert set(results[0][name]["recall@0.1"]) >= {"recall", "delay"}


def test_doctor_lists_what_there_is(run: Run, home: Path) -> None:
    found = {row["what"]: row for row in done(run("doctor", "--home", home, "--json"))}
    assert all(set(row) == {"what", "state", "detail"} for row in found.values())
    assert found["lake trades.symbol_5s"]["state"] == "ok"


def test_doctor_ends_with_one_when_something_is_broken(run: Run, tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("x")
    code, out, err = run("doctor", "--home", tmp_path, "--json")
    assert (code, err) == (1, "")
    assert "broken" in {row["state"] for row in json.loads(out)}


def test_demo_without_a_terminal_plays_once_and_passes_on_home_and_seed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    played = {"from": "2026-03-02T09:00", "until": "2026-03-02T10:00", "played": []}
    rest = {"not_played": {}, "others": {"alerts": 3, "pages": 0}, "before": {"alerts": 0}}

    def once(home: Path, *, seed: int, progress: Any) -> dict[str, Any]:
        asked.append((home, seed))
        progress("working", 0.5)
        return played | rest

    monkeypatch.setattr("serving.demo_run.once", once)
    told = done(run("demo", "--home", tmp_path, "--seed", "7", "--json"))
    assert told["others"]["alerts"] == 3
    code, out, _ = run("demo", "--home", tmp_path, "--seed", "7")
    assert code == 0
    assert "0 of 0 attacks were found" in out
    assert asked == [(tmp_path, 7)] * 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["windows", "trades.symbol_1m", "EVENTS", "--out", "OUT"], "3,300 events -> "),
        (["train", "trades.symbol_5s", "--home", "HOME"], "windows, "),
        (["score", "SET", "--out", "OUT"], " scored, in "),
        (["evaluate", "SET"], "few (events): 1 events in 1.0 entity-days"),
        (["doctor", "--home", "HOME"], "ok     python"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_without_json_a_person_is_told(
    run: Run, dataset: Path, home: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    places = {
        "EVENTS": dataset / "events.parquet",
        "SET": dataset,
        "HOME": home,
        "OUT": tmp_path / "out.parquet",
    }
    code, out, err = run(*(places.get(word, word) for word in arguments))
    assert (code, err) == (0, "")
    assert told in out
    assert not out.lstrip().startswith(("{", "["))


@pytest.mark.parametrize("command", ["windows", "train", "score", "evaluate", "demo", "doctor"])
def test_every_command_has_help_and_json(run: Run, command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "--json" in out


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys, tocsin\n"
        "sys.argv = ['tocsin', '--help']\n"
        "try:\n    tocsin.main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "doctor" in ran.stdout
    loaded = {name.split(".")[0] for name in ran.stderr.splitlines()}
    assert "typer" in loaded
    assert not loaded & {*HEAVY, "features", "models", "pipeline"}
