"""The runner says what it measured, and fails when it should."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import bench_forest, run
from benchmarks.harness import Result

QUICK = [
    "alerts",
    "baseline",
    "chain",
    "explain",
    "forest",
    "half_space",
    "score",
    "stream",
    "windows",
]
FIELDS = {"name", "ours", "peer", "peer_name", "unit", "ratio", "parity"}


def result(name: str = "windows.trades", ratio: float = 9.0, parity: float = 0.0) -> Result:
    return Result(
        name=name, ours=1.0, peer=2.0, peer_name="p", unit="x/s", ratio=ratio, parity=parity
    )


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Result]:
    """What the only benchmark there is finds; results go to ``results.json`` in ``tmp_path``."""
    found: list[Result] = []
    module = SimpleNamespace(run=lambda quick: found)
    monkeypatch.setattr(run.importlib, "import_module", lambda name: module)
    monkeypatch.setattr(run, "names", lambda: ["made_up"])
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.json")
    return found


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_run_gives_a_list_of_results_that_agree_with_their_peers(
    name: str, tmp_path: Path
) -> None:
    out = tmp_path / "results.json"
    assert run.main(["--quick", "--only", name, "--out", str(out)]) == 0
    results = json.loads(out.read_text())
    assert results
    for r in results:
        assert set(r) == FIELDS
        assert r["name"].startswith(name)
        assert 0 <= r["parity"] <= run.PARITY
        assert min(r["ours"], r["peer"], r["ratio"]) > 0


def test_every_benchmark_is_found() -> None:
    assert {"forest", "half_space", "windows", "stream", "baseline"} <= set(run.names())
    assert hasattr(bench_forest, "run")


def test_a_full_run_writes_its_results(measured: list[Result]) -> None:
    measured += [result(), result("other", ratio=0.1)]
    assert run.main([]) == 0
    assert json.loads(run.RESULTS.read_text()) == measured


@pytest.mark.parametrize("part", [["--quick"], ["--only", "made_up"]])
def test_a_part_of_a_run_does_not_replace_the_results(
    part: list[str], measured: list[Result]
) -> None:
    measured.append(result())
    assert run.main(part) == 0
    assert not run.RESULTS.exists()


def test_a_missed_floor_fails_unless_quick(
    measured: list[Result], capsys: pytest.CaptureFixture[str]
) -> None:
    measured.append(result(ratio=2.4))
    assert run.main([]) == 1
    assert "FAIL: floor 2.5" in capsys.readouterr().out
    assert run.main(["--quick"]) == 0


@pytest.mark.parametrize("parity", [2e-9, float("inf"), float("nan")])
def test_other_numbers_than_the_peers_fail_always(parity: float, measured: list[Result]) -> None:
    measured.append(result(parity=parity))
    assert run.main([]) == run.main(["--quick"]) == 1


def test_peak_memory_is_shown(measured: list[Result], capsys: pytest.CaptureFixture[str]) -> None:
    measured.append(result() | {"ours_peak_mb": 1459.0, "peer_peak_mb": 1987.0})
    run.main([])
    assert "1,459 against 1,987 MB" in capsys.readouterr().out


@pytest.mark.parametrize("name", run.FLOORS)
@pytest.mark.parametrize(("part", "said"), [(1.0, "ok"), (0.999, "FAIL"), (float("nan"), "FAIL")])
def test_a_floor_is_met_from_the_floor_on(name: str, part: float, said: str) -> None:
    measured = result(name, ratio=part * run.FLOORS[name])
    assert run.verdict(measured, run.FLOORS).startswith(said)
