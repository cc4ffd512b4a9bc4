"""A scan laid over a real log: what is given to the detector, and what is found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.access import ACCESS
from pipeline.evaluation.access_mix import AccessMix, evaluate_mix, mix
from pipeline.files import InputError

DATA = Path(__file__).parents[4] / "shared" / "data" / "access-logs"
NOW = datetime(2026, 1, 31, tzinfo=UTC)
T0 = datetime(2015, 5, 17, tzinfo=UTC)


def requests(ip: str, seconds: list[int], start: datetime = T0) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "ts": [start + timedelta(seconds=s) for s in seconds],
            "kind": "request",
            "ip": ip,
            "path": [f"/{ip}/{s}" for s in seconds],
        }
    )
    return ACCESS.validate(frame, now=NOW).events


def line(ip: str, at: datetime) -> str:
    return f'{ip} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET /a HTTP/1.1" 200 17\n'


def test_a_scan_keeps_its_timing_and_begins_where_it_is_put() -> None:
    real = requests("1.1.1.1", [0, 600, 1_200, 2_400])
    scan = requests("6.6.6.6", [130, 70, 131], T0 + timedelta(days=900))
    mixture = mix("scan", real, scan, before=0.5)

    found = mixture.windows.filter(pl.Series(mixture.anomalous))
    assert found["entity"].to_list() == ["6.6.6.6", "6.6.6.6"]
    starts = [(start - T0).total_seconds() for start in found["start"]]
    assert starts == [1_200, 1_260]
    assert found["count"].to_list() == [1, 2]
    assert mixture.windows["count"].sum() == 7


def test_what_is_scored_does_not_tell_the_files_apart() -> None:
    real, scan = requests("1.1.1.1", [0, 10, 100]), requests("6.6.6.6", [0, 1])
    columns = set(mix("scan", real, scan).windows.columns)
    assert not columns & {"scan", "file", "label", "id"}


def test_a_folder_without_a_scan_or_with_a_description_is_no_mix(tmp_path: Path) -> None:
    assert AccessMix.open(tmp_path) is None
    (tmp_path / "access.log").write_text(line("1.1.1.1", T0))
    assert AccessMix.open(tmp_path) is None
    (tmp_path / "scan_a.txt").write_text(line("6.6.6.6", T0))
    assert AccessMix.open(tmp_path) is not None
    (tmp_path / "meta.json").write_text("{}")
    assert AccessMix.open(tmp_path) is None


@pytest.mark.parametrize("broken", ["access.log", "scan_a.txt"])
def test_a_folder_without_readable_logs_is_refused(tmp_path: Path, broken: str) -> None:
    for name in ("access.log", "scan_a.txt"):
        (tmp_path / name).write_text("no log\n" if name == broken else line("1.1.1.1", T0))
    folder = AccessMix.open(tmp_path)
    assert folder is not None
    with pytest.raises(InputError, match="combined"):
        folder.mixtures(now=NOW)


def test_every_scan_of_a_folder_is_judged(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    times = np.sort(rng.integers(0, 86_400, 400))
    real = [line(f"1.1.1.{i % 50}", T0 + timedelta(seconds=int(s))) for i, s in enumerate(times)]
    (tmp_path / "access.log").write_text("".join(real))
    for name, count in (("scan_a.txt", 300), ("scan_b.txt", 5)):
        text = "".join(line("6.6.6.6", T0 + timedelta(seconds=i)) for i in range(count))
        (tmp_path / name).write_text(text)
    folder = AccessMix.open(tmp_path)
    assert folder is not None
    told: list[float] = []
    result = evaluate_mix(folder, now=NOW, seed=0, progress=told.append)

    assert [scan["scan"] for scan in result["scans"]] == ["scan_a.txt", "scan_b.txt"]
    assert [scan["of_scan"] for scan in result["scans"]] == [6, 1]
    assert told == [0.5, 1.0]
    first = result["scans"][0]
    assert first["requests"] == {"ap": 1.0, "rank": 1}
    # With so short a past nothing is called rare: every score is the same.
    assert first["ours"]["ap"] == pytest.approx(6 / first["windows"])
    assert first["ours"]["rank"] == first["addresses"]
    assert result["ap"] == result["ours"]["ap"]
    assert result["trivial"]["ap"] == sum(s["requests"]["ap"] for s in result["scans"]) / len(
        result["scans"]
    )


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared data sets")
def test_the_scanner_is_found_among_real_visitors() -> None:
    folder = AccessMix.open(DATA)
    assert folder is not None
    [scan] = evaluate_mix(folder, now=NOW, seed=0)["scans"]
    assert scan["ours"]["rank"] == 1
    assert scan["ours"]["ap"] >= 0.95
    for peer in ("forest", "requests", "not_found", "random"):
        assert scan["ours"]["ap"] > scan[peer]["ap"]
