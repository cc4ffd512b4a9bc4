"""A report: computed once, rendered twice, the same each time, and it needs nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from pipeline.evaluation.dataset import Dataset
from pipeline.evaluation.evaluate import evaluate
from pipeline.files import InputError
from pipeline.report.budgets import ASKED, UNITS
from pipeline.report.build import build_report, write_report
from pipeline.report.render import html, markdown, results_json
from pipeline.report.results import Cost, Report
from pipeline.report.verdict import figure
from pipeline.scoring.words import amount
from tests.pipeline.conftest import START
from tests.pipeline.reporting import GOOD, ROWS, report
from tocsin import app

VERSIONS = {"tocsin": "0.1.0"}
SAMPLES, TRAINED, BROKEN = 1_500, 700, slice(1_200, 1_230)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A labelled set of two series, and one of rows."""
    rng = np.random.default_rng(2)
    machines, logins = (tmp_path_factory.mktemp("few") / name for name in ("machines", "logins"))
    ts = [START + i * timedelta(minutes=1) for i in range(SAMPLES)]
    parts = []
    for entity in ("m1", "m2"):
        X = rng.normal(size=(SAMPLES, 2))
        X[BROKEN] += 6.0
        split = np.where(np.arange(SAMPLES) < TRAINED, "train", "test")
        columns = {"ts": ts, "entity": entity, "split": split, "load": X[:, 0], "wait": X[:, 1]}
        parts.append(pl.DataFrame(columns))
    machines.mkdir()
    pl.concat(parts).write_parquet(machines / "series.parquet")
    meta = {"stream": "system", "layout": "series", "step_seconds": 60}
    (machines / "meta.json").write_text(json.dumps(meta))
    times = f"{ts[BROKEN.start].isoformat()},{ts[BROKEN.stop - 1].isoformat()}"
    (machines / "labels.csv").write_text(f"entity,start,end\nm1,{times}\nm2,{times}\n")
    X = rng.normal(size=(500, 3))
    X[:20] += 5.0
    logins.mkdir()
    numbers = {f"f{i}": X[:, i] for i in range(3)}
    pl.DataFrame({"row": np.arange(500), **numbers}).write_parquet(logins / "rows.parquet")
    (logins / "meta.json").write_text(json.dumps({"stream": "access", "layout": "rows"}))
    (logins / "labels.csv").write_text("row\n" + "\n".join(map(str, range(20))) + "\n")
    return [machines, logins]


@pytest.fixture(scope="module")
def built(pump_set: Path, few: list[Path], after: datetime) -> Report:
    return build_report([pump_set, *few], after, 0, VERSIONS)


@pytest.fixture(scope="module")
def page(built: Report) -> str:
    return html(built)


def texts(given: Report) -> list[str]:
    return [html(given), markdown(given), results_json(given)]


def test_a_report_is_the_same_to_the_byte_each_time(few: list[Path], after: datetime) -> None:
    first = build_report(few, after, 0, VERSIONS)
    again = build_report(few, after + timedelta(days=400), 0, VERSIONS)
    assert texts(again) == texts(first)


class Page(HTMLParser):
    """The tags of a page, and the ids and references in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.given: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.given += [(name, value or "") for name, value in attrs]

    def values(self, name: str) -> list[str]:
        return [value for given, value in self.given if given == name]


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    read = Page(page)
    assert not re.search(r"https?:|@import|//[a-z]", page)
    assert not {"script", "link", "iframe", "object", "img", "base"} & set(read.tags)
    assert all(value.startswith("#") for value in [*read.values("href"), *read.values("src")])
    assert not [name for name, _ in read.given if name.startswith("on") or name == "style"]
    ids = read.values("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in read.values("href")} <= set(ids)
    assert set(re.findall(r"url\(#(\w+)\)", page)) <= set(ids)


def test_every_drawing_says_what_it_shows_and_every_table_can_be_reached(page: str) -> None:
    read = Page(page)
    roles = read.values("role")
    assert read.tags.count("svg") == roles.count("img") > 10
    assert read.tags.count("table") == roles.count("region") == read.values("tabindex").count("0")
    assert all(read.values("aria-label"))
    assert set(read.values("scope")) == {"row", "col"}


def test_what_the_data_say_cannot_become_markup() -> None:
    page = html(report(GOOD, ROWS))
    assert "<script" not in page
    assert "<a|b>" not in page
    assert "pumps \\<a\\|b\\>" in markdown(report(GOOD, ROWS))


TOKEN = re.compile(r"(?<![\w.-])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?![\w])")
TIME = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d(?::\d\d)?)?")


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        # Sentences are made of the other figures; traces are drawn, not told.
        for name in value.keys() - {"headline", "good", "bad", "next", "minutes", "rarity"}:
            yield from leaves(value[name])
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def forms(value: float) -> set[str]:
    """The ways in which a figure may be printed."""
    scaled = {value, 100 * value, value / 60}
    known = {amount(x) for x in scaled} | {figure(value), f"{value:,}", f"{value:.0f}"}
    return known | ({f"{1 / value:.0f}"} if value > 0 else set())


def untold(text: str, results: dict[str, Any]) -> set[str]:
    """Numbers of a text that are not among the results."""
    found = list(leaves(results))
    known = set().union(*(forms(x) for x in found if isinstance(x, int | float)))
    spoken = " ".join(x for x in found if isinstance(x, str))
    text = re.sub(r"`[0-9a-f]{16}`", "", text.replace("\\", ""))
    for name in sorted((x for x in found if isinstance(x, str) and x), key=len, reverse=True):
        text = text.replace(name, "")
    assert all(time in spoken for time in TIME.findall(text))
    return {token.rstrip(",") for token in TOKEN.findall(TIME.sub("", text))} - known


def test_every_number_of_the_markdown_is_in_the_results(built: Report) -> None:
    results = json.loads(results_json(built))
    text = markdown(built)
    # Headings of the quantiles, and the scale of a rate.
    text = text.replace("| 90 % | 99 % |", "")
    assert untold(text, results) == set()
    assert untold(text + " 0.123456", results) == {"0.123456"}
    results["sets"][0]["budgets"] = []
    assert untold(text, results)


def test_the_figures_are_those_of_evaluate(
    built: Report, pump_set: Path, few: list[Path], after: datetime
) -> None:
    for found, path in zip(built.sets, [pump_set, *few], strict=True):
        judged = evaluate(Dataset.open(path), now=after, seed=0)
        for q in found.quality:
            for name in ("ours", "forest", "trivial"):
                if q.metric == "recall":
                    at = judged[name][f"recall@{q.budget}"]
                    assert (q.contenders[name].value, q.delay[name]) == (at["recall"], at["delay"])
                else:
                    assert q.contenders[name].value == pytest.approx(judged[name][q.metric])


def test_intervals_hold_their_figures_and_the_lead_is_against_the_better_peer(
    built: Report,
) -> None:
    for q in (q for each in built.sets for q in each.quality):
        for at in [*q.contenders.values(), q.lead]:
            assert at.low - 1e-9 <= at.value <= at.high + 1e-9
        best = max(q.contenders[name].value for name in ("forest", "trivial"))
        assert q.lead.value == pytest.approx(q.contenders["ours"].value - best)


def test_the_planted_pump_is_the_best_call_with_its_reasons(built: Report) -> None:
    best = built.sets[0].calls[0]
    assert (best.kind, best.entity) == ("found", "B")
    assert any("buy" in reason for reason in best.reasons)
    assert best.threshold is not None
    peak = best.minutes[int(np.argmax(best.rarity))]
    assert max(best.rarity) > best.threshold
    assert -0.5 <= peak <= 5
    assert all(call.kind in ("quiet", "false alarm") for call in built.sets[0].calls[1:])


def test_the_broken_numbers_are_the_reasons_of_series_and_rows(built: Report) -> None:
    for each in built.sets[1:]:
        best = each.calls[0]
        assert len(best.reasons) >= 2
        assert all(reason.endswith("spreads above") for reason in best.reasons)


def test_budgets_are_told_in_alerts_and_in_windows_wherever_there_is_time(built: Report) -> None:
    for each in built.sets[:2]:
        assert [(b.unit, b.asked) for b in each.budgets] == [(u, a) for u in UNITS for a in ASKED]
        for b in each.budgets:
            assert b.low <= b.ratio <= b.high
            assert b.expected == pytest.approx(b.asked * each.budgets[0].expected / ASKED[0])
            assert (b.state == "not measurable") == bool(b.why)
    assert built.sets[2].budgets == []


def test_measured_costs_are_told_only_when_asked_for(few: list[Path], after: datetime) -> None:
    ticks = iter([Cost(10.0, 100.0), Cost(17.25, 333.0)])
    timed = build_report(few[1:], after, 0, VERSIONS, meter=lambda: next(ticks))
    assert timed.sets[0].cost == Cost(7.25, 333.0)
    for text in (html(timed), markdown(timed)):
        assert "7.25" in text
        assert "333" in text
    assert "memory" not in markdown(build_report(few[1:], after, 0, VERSIONS))


def test_a_folder_that_cannot_be_written_to_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a folder to write to"):
        write_report(report(GOOD), tmp_path / "file")


def test_a_wrong_name_is_told_before_anything_is_judged(
    few: list[Path], after: datetime, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"no meta\.json"):
        build_report(
            [*few, tmp_path], after, 0, VERSIONS, progress=lambda *_: pytest.fail("judged")
        )


def test_the_command_writes_three_files_and_says_what_is_in_them(
    few: list[Path], tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["report", str(few[1]), "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    results = json.loads(done.stdout)
    assert results == json.loads((tmp_path / "results.json").read_text())
    assert set(results["versions"]) >= {"tocsin", "numpy", "polars"}
    for name in ("report.html", "report.md"):
        assert results["verdict"]["headline"] in (tmp_path / name).read_text()
