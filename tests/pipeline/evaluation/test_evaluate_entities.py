"""Sets that ask about whole entities: transactions and accounts, judged by their rarest window."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.evaluation.dataset import COLUMNS, Dataset, blind_scores
from tests.pipeline.evaluation.test_evaluate_layouts import DATA, NOW, assert_clean, judged


def calls_set(folder: Path) -> Dataset:
    """200 transactions of a few calls, of which four go in and out of a contract many times."""
    rng, rows, labelled = np.random.default_rng(0), [], []
    for number in range(200):
        tx, busy = f"0x{number:03}", number % 50 == 7
        labelled += [tx] if busy else []
        for idx in range(40 if busy else int(rng.integers(1, 4))):
            to = f"0xc{idx % 2 if busy else rng.integers(9)}"
            rows.append(
                (tx, idx, min(idx, 1), "CALL", f"0x{idx % 2}", to, 0.0, f"0x0000000{idx % 3}")
            )
    names = ["tx", "idx", "depth", "kind", "from_address", "to_address", "value_wei", "selector"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    frame.with_columns(input_length=pl.lit(4)).write_parquet(folder / "events.parquet")
    lines = [f"{tx},exploit" for tx in [*labelled, "0xunknown"]]
    (folder / "labels.csv").write_text("\n".join(["tx,kind", *lines]) + "\n")
    meta = {"stream": "calls", "layout": "events", "entity": "tx"}
    (folder / "meta.json").write_text(json.dumps(meta))
    return Dataset.open(folder)


def test_whole_entities_are_judged_by_precision_and_the_unknown_come_last(tmp_path: Path) -> None:
    found = judged(calls_set(tmp_path))
    assert_clean(found, ["ap"])
    assert (found["entities"], found["anomalous"], found["budget"]) == (201, 5, [])
    assert found["delay"] is None
    assert found["ap"] == found["ours"]["ap"]
    # Four of five are ranked first, the fifth, of which there is no call, last.
    assert found["ap"] == pytest.approx((4 + 5 / 201) / 5)


def test_whole_entities_are_scored_blind_without_a_rate(tmp_path: Path) -> None:
    dataset = calls_set(tmp_path)
    (tmp_path / "labels.csv").unlink()
    scores = blind_scores(dataset, now=NOW, seed=0)
    assert scores.columns == COLUMNS
    assert scores["entity"].n_unique() == len(scores) == 200
    assert scores["per_day"].null_count() == 200
    assert scores["score"].null_count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transactions-exploits", "transactions-accounts"])
def test_on_real_chains_ours_is_at_least_as_good_as_all_others(name: str) -> None:
    if not (DATA / name).is_dir():
        pytest.skip("the real data set is not beside the repository")
    found = judged(Dataset.open(DATA / name))
    given = json.loads((DATA / name / "baselines.json").read_text())
    for peer in ("forest", "trivial", "random"):
        assert found["ap"] >= max(found[peer]["ap"], given[peer]["ap"])
