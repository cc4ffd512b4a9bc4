"""Commands on data sets: blind scores, labelled evaluation, the report."""

from __future__ import annotations

from functools import partial

from serving.cli.app import (
    HOME,
    Folder,
    Home,
    Json,
    Mlflow,
    Out,
    Scores,
    Seed,
    Sets,
    Timed,
    answer,
    app,
    now,
    progress,
)

__all__ = ["evaluate", "report", "score"]


@app.command()
def score(dataset: Folder, out: Scores, seed: Seed = 0, as_json: Json = False) -> None:
    """Score a data set blind: each window by what came before it, labels unread."""
    from pipeline.evaluation.dataset import Dataset, blind_scores
    from pipeline.files import write_parquet

    chosen = Dataset.open(dataset)
    with progress() as tell:
        scores = blind_scores(chosen, now=now(), seed=seed, progress=partial(tell, "scoring"))
    write_parquet(scores, out)
    given = {"set": chosen.name, "layout": chosen.layout, "scored": len(scores), "out": str(out)}
    answer(given, as_json, lambda g: f"{g['scored']:,} scored, in {g['out']}")


@app.command()
def evaluate(datasets: Sets, seed: Seed = 0, as_json: Json = False) -> None:
    """Judge the scores on labelled data sets, beside a plain forest, a trivial score and chance."""
    from pipeline.evaluation.evaluate import evaluate_all, table_text

    with progress() as tell:
        results = evaluate_all(datasets, now=now(), seed=seed, progress=tell)
    answer(results, as_json, lambda rows: "\n\n".join(map(table_text, rows)))


@app.command()
def report(
    datasets: Sets,
    home: Home = HOME,
    mlflow: Mlflow = None,
    out: Out = HOME / "report",
    timed: Timed = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Write one page that says how good the scores are on labelled data sets, and what to do."""
    from pipeline.report.build import build_report, installed, spent, write_report
    from pipeline.report.served import served

    meter, versions = (spent if timed else None), installed()
    with progress() as tell:
        built = build_report(
            datasets,
            now(),
            seed,
            versions,
            progress=tell,
            meter=meter,
            serving=served(home, mlflow),
        )
    files = ", ".join(map(str, write_report(built, out)))
    answer(built.fields(), as_json, lambda given: f"{given['verdict']['headline']}\n{files}")
