"""Ours, a plain forest, a trivial score and chance, judged on series and on rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from pipeline.evaluation.dataset import Dataset, blind_scores
from pipeline.evaluation.evaluate import evaluate, evaluate_all, table_text
from pipeline.evaluation.series import PROBATION_SHARE
from pipeline.files import InputError

DATA = Path(__file__).parents[4] / "shared" / "data"
NOW = datetime(2027, 1, 1, tzinfo=UTC)
START = datetime(2026, 1, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CONTENDERS = ("ours", "forest", "trivial", "random")
BOTH = pytest.mark.parametrize("train", [None, 500], ids=["online", "split"])
N = 1_200


def series_set(
    folder: Path, train: int | None, *, events: dict[str, tuple[int, int]], seed: int = 0
) -> Dataset:
    """Two metrics that go together but for the first to the last minute of an event."""
    rng, parts = np.random.default_rng(seed), []
    for entity in "abc":
        load = 3 * np.sin(np.arange(N) / 30) + rng.normal(0, 0.2, N)
        other = load + rng.normal(0, 0.2, N)
        if entity in events:
            begin, end = events[entity]
            other[begin : end + 1] *= -1
        part = pl.DataFrame({"entity": [entity] * N, "m00": load, "m01": other}).with_columns(
            ts=pl.lit(START).dt.cast_time_unit("us") + pl.int_range(N) * pl.duration(minutes=1)
        )
        if train is not None:
            part = part.with_columns(split=pl.Series(["train"] * train + ["test"] * (N - train)))
        parts.append(part)
    pl.concat(parts).write_parquet(folder / "series.parquet")
    lines = [
        f"{entity},{(START + begin * MINUTE).isoformat()},{(START + end * MINUTE).isoformat()}"
        for entity, (begin, end) in events.items()
    ]
    (folder / "labels.csv").write_text("\n".join(["entity,start,end", *lines]) + "\n")
    (folder / "meta.json").write_text(json.dumps({"stream": "system", "layout": "series"}))
    return Dataset.open(folder)


def rows_set(folder: Path, *, ordered: bool) -> Dataset:
    """1,500 rows named from 10,000 on, of two kinds; each column of 60 is of any kind."""
    rng = np.random.default_rng(0)
    kind = np.repeat(rng.choice([-5, 5], (1_500, 1)), 6, axis=1)
    moved = np.sort(rng.permutation(np.arange(100, 1_500))[:60])
    kind[moved] = rng.choice([-5, 5], (60, 6))
    X = kind + rng.normal(size=(1_500, 6))
    frame = pl.DataFrame({f"f{i}": X[:, i] for i in range(6)})
    frame.with_columns(row=pl.int_range(10_000, 11_500)).write_parquet(folder / "rows.parquet")
    (folder / "labels.csv").write_text("row\n" + "".join(f"{10_000 + i}\n" for i in moved))
    meta = {"stream": "access", "layout": "rows", "ordered": ordered}
    (folder / "meta.json").write_text(json.dumps(meta))
    return Dataset.open(folder)


def judged(dataset: Dataset) -> dict[str, Any]:
    return evaluate(dataset, now=NOW, seed=0)


def assert_clean(result: dict[str, Any], figures: list[str]) -> None:
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    for name in CONTENDERS:
        assert list(result[name]) == figures
        assert all(0 < value <= 1 for value in result[name].values())


@BOTH
def test_all_four_are_judged_on_series(tmp_path: Path, train: int | None) -> None:
    found = judged(series_set(tmp_path, train, events={"a": (800, 860), "b": (1_000, 1_030)}))
    assert_clean(found, ["ap", "vus_pr"])
    assert (found["set"], found["layout"]) == (tmp_path.name, "series")
    # Entity c has no anomaly, and no average precision.
    assert found["entities"] == 2
    assert found["samples"] == 3 * (N - (train or 0))
    for figure in ("ap", "vus_pr"):
        ours, *others = (found[name][figure] for name in CONTENDERS)
        assert ours > 0.6
        assert ours > 1.2 * max(others)


@pytest.mark.parametrize("ordered", [False, True])
def test_all_four_are_judged_on_rows(tmp_path: Path, ordered: bool) -> None:
    found = judged(rows_set(tmp_path, ordered=ordered))
    assert_clean(found, ["ap"])
    assert (found["layout"], found["rows"], found["anomalous"]) == ("rows", 1_500, 60)
    ours, *others = (found[name]["ap"] for name in CONTENDERS)
    assert ours > 0.8
    assert ours >= max(others)


@BOTH
def test_a_figure_is_the_mean_over_entities_of_scored_samples_alone(
    tmp_path: Path, train: int | None
) -> None:
    events = {"a": (800, 860), "b": (1_000, 1_030)}
    dataset = series_set(tmp_path, train, events=events)
    scores = blind_scores(dataset, now=NOW, seed=0).filter("warm")
    each = []
    for entity, (begin, end) in events.items():
        part = scores.filter(pl.col("entity") == entity)
        # The last minute of a label is anomalous too.
        anomalous = part["start"].is_between(START + begin * MINUTE, START + end * MINUTE)
        assert anomalous.sum() == end - begin + 1
        each.append(average_precision_score(anomalous, part["score"]))
    assert judged(dataset)["ours"]["ap"] == pytest.approx(np.mean(each), abs=1e-12)


def test_rows_are_judged_by_their_numbers_not_their_places(tmp_path: Path) -> None:
    dataset = rows_set(tmp_path, ordered=False)
    before = judged(dataset)
    frame = pl.read_parquet(tmp_path / "rows.parquet")
    frame.with_columns(pl.col("row") - 9_000).write_parquet(tmp_path / "rows.parquet")
    labels = pl.read_csv(tmp_path / "labels.csv")
    labels.with_columns(pl.col("row") - 9_000).reverse().write_csv(tmp_path / "labels.csv")
    assert judged(dataset) == before


def test_a_label_in_the_time_of_probation_does_not_count(tmp_path: Path) -> None:
    last = int(PROBATION_SHARE * N) - 1
    found = judged(series_set(tmp_path, None, events={"a": (0, last), "b": (900, 960)}))
    assert found["entities"] == 1
    (tmp_path / "next").mkdir()
    events = {"a": (0, last + 1), "b": (900, 960)}
    assert judged(series_set(tmp_path / "next", None, events=events))["entities"] == 2


@pytest.mark.parametrize(
    ("train", "events"),
    [(None, {}), (None, {"a": (10, 20)}), (500, {"b": (480, 499)}), (500, {"z": (800, 860)})],
)
def test_series_without_a_label_that_counts_are_refused(
    tmp_path: Path, train: int | None, events: dict[str, tuple[int, int]]
) -> None:
    dataset = series_set(tmp_path, train, events=events)
    with pytest.raises(InputError, match=r"\A[^\n]*: no label lies in a sample that is scored\Z"):
        judged(dataset)


@pytest.mark.parametrize("labels", ["row\n", "row\n5\n11500\n"])
def test_rows_without_a_label_that_counts_are_refused(tmp_path: Path, labels: str) -> None:
    dataset = rows_set(tmp_path, ordered=False)
    (tmp_path / "labels.csv").write_text(labels)
    with pytest.raises(InputError, match=r"\A[^\n]*: no label names a row of the set\Z"):
        judged(dataset)


def test_a_set_without_labels_is_scored_but_not_judged(tmp_path: Path) -> None:
    dataset = rows_set(tmp_path, ordered=False)
    (tmp_path / "labels.csv").unlink()
    assert len(blind_scores(dataset, now=NOW, seed=0)) == 1_500
    with pytest.raises(InputError, match="expected labels with row"):
        judged(dataset)


@BOTH
def test_missing_values_are_judged_as_the_one_before(tmp_path: Path, train: int | None) -> None:
    dataset = series_set(tmp_path, train, events={"a": (800, 860)})
    frame = pl.read_parquet(tmp_path / "series.parquet")
    gap = pl.int_range(pl.len()) % 97 == 5
    holes = frame.with_columns(m01=pl.when(~gap).then("m01"))
    holes.write_parquet(tmp_path / "series.parquet")
    absent = judged(dataset)
    filled = holes.with_columns(pl.col("m01").forward_fill().over("entity").fill_null(0.0))
    filled.write_parquet(tmp_path / "series.parquet")
    assert judged(dataset) == absent
    holes.with_columns(pl.col("m01").fill_null(np.nan)).write_parquet(tmp_path / "series.parquet")
    assert judged(dataset) == absent


def test_the_tables_have_a_row_for_each_contender(tmp_path: Path) -> None:
    series = judged(series_set(tmp_path, 500, events={"a": (800, 860)}))
    rows = judged(rows_set(tmp_path, ordered=True))
    for result, columns in ((series, ["ap", "vus_pr"]), (rows, ["ap"])):
        head, names, *body = table_text(result).splitlines()[: 2 + len(CONTENDERS)]
        assert head == f"{tmp_path.name} ({result['layout']})"
        assert names.split() == columns
        assert [line.split() for line in body] == [
            [name, *(f"{result[name][c]:.3f}" for c in columns)] for name in CONTENDERS
        ]


@pytest.mark.parametrize(
    ("name", "least"),
    [("system-smd", 0.55), ("system-nab", 0.40), ("access-kdd", 0.95)],
)
def test_on_real_data_ours_is_better_than_all_others(name: str, least: float) -> None:
    if not (DATA / name).is_dir():
        pytest.skip("the real data set is not beside the repository")
    found = evaluate(Dataset.open(DATA / name), now=datetime.now(UTC), seed=0)
    ours, *others = (found[contender]["ap"] for contender in CONTENDERS)
    assert ours >= least
    assert not [b for b in found["budget"] if (b["unit"], b["state"]) == ("alerts", "missed")]
    assert ours > max(others)


def test_the_main_figure_stands_at_the_top_with_its_delay(tmp_path: Path) -> None:
    found = judged(series_set(tmp_path, 500, events={"a": (800, 860), "b": (900, 960)}))
    assert found["ap"] == found["ours"]["ap"]
    at = [b for b in found["budget"] if (b["unit"], b["asked"]) == ("alerts", 10.0)]
    assert found["delay"] == at[0]["delay"]


def test_what_cannot_be_judged_is_skipped_with_its_reason(tmp_path: Path) -> None:
    for name in ("good", "empty"):
        (tmp_path / name).mkdir()
    rows_set(tmp_path / "good", ordered=False)
    (tmp_path / "README.md").write_text("# Data")
    paths = [tmp_path / name for name in ("README.md", "empty", "good")]
    found = evaluate_all(paths, now=NOW, seed=0)
    assert [each["set"] for each in found] == ["README.md", "empty", "good"]
    assert ["skipped" in each for each in found] == [True, True, False]
    assert all("no meta.json" in each["skipped"] for each in found[:2])
    assert table_text(found[0]).startswith("README.md: skipped: ")
    with pytest.raises(InputError, match=r"no meta\.json"):
        evaluate_all(paths[:2], now=NOW, seed=0)


@pytest.mark.parametrize("layout", ["online", "split", "ordered rows"])
def test_shuffling_the_future_changes_no_past_score(layout: str, tmp_path: Path) -> None:
    if layout == "ordered rows":
        dataset, file, at = rows_set(tmp_path, ordered=True), "rows.parquet", 1_000
    else:
        train = 500 if layout == "split" else None
        dataset = series_set(tmp_path, train, events={"a": (1_000, 1_050)})
        file, at = "series.parquet", 1_000
    before = blind_scores(dataset, now=NOW, seed=0)
    table = pl.read_parquet(tmp_path / file)
    numbers = [name for name in table.columns if name[0] in "mf"]
    row = (
        pl.int_range(pl.len()).over("entity")
        if "entity" in table.columns
        else pl.int_range(pl.len())
    )
    late = table.select(row >= at).to_series()
    mixed = table.filter(late).select(pl.col(numbers).shuffle(seed=1))
    past = table.filter(~late)
    table = pl.concat(
        [
            past,
            pl.concat([table.filter(late).drop(numbers), mixed], how="horizontal").select(
                past.columns
            ),
        ]
    )
    table.write_parquet(tmp_path / file)
    after = blind_scores(dataset, now=NOW, seed=0)
    if "entity" in before.columns:
        until = START + at * MINUTE
        before, after = (scores.filter(pl.col("start") < until) for scores in (before, after))
    else:
        before, after = before[:at], after[:at]
    assert len(before) > 400
    assert before.equals(after)
