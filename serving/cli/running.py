"""Commands that run the house and ask how it is."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from serving.cli.app import HOME, Home, Json, Mlflow, Seed, answer, app, now, progress

__all__ = ["demo", "doctor", "serve", "stream", "up"]

Configuration = Annotated[
    Path, typer.Option("--config", help="Written with defaults where it is not there.")
]
YAML = Path("tocsin.yaml")


@app.command()
def demo(
    seed: Seed = 0,
    home: Home = HOME / "demo",
    speed: Annotated[float, typer.Option(min=0.1, max=1e4, help="Times real life.")] = 60.0,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of the pages.")] = 8787,
    once: Annotated[
        bool, typer.Option("--once", help="Play all of it as fast as it goes, and end.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Watch a made-up platform, live: attacks and their harmless twins play, the pages are served.

    Where nobody watches, as in a pipe, it plays once and says what was found and what was missed.
    """
    from serving.demo_run import live
    from serving.demo_run import once as play_once
    from serving.demo_text import table

    if once or as_json or not sys.stdout.isatty():
        with progress() as tell:
            played = play_once(home, seed=seed, progress=tell)
        answer(played, as_json, table)
        return
    say = partial(print, flush=True)
    code = live(home, seed=seed, speed=speed, port=port, say=say, progress=progress)
    raise typer.Exit(code)


@app.command()
def doctor(
    config: Annotated[Path, typer.Option("--config", help="Looked at where it is there.")] = YAML,
    home: Home = HOME,
    mlflow: Mlflow = None,
    as_json: Json = False,
) -> None:
    """Say what is configured, reachable, behind or missing; exit 1 if something is broken.

    A configuration says where its home, its store and MLflow are; without one, --home does.
    """
    from pipeline.config import read_config
    from pipeline.doctor import examine
    from serving.alerts.thresholds import examine_bars

    given = read_config(config) if config.exists() or config != YAML else None
    found = examine(home, now=now(), config=given, mlflow=mlflow)
    if any((one.what, one.state) == ("store", "ok") for one in found):
        found += examine_bars(given.store_url if given else f"sqlite:///{home}/store.db")
    findings = [vars(one) for one in found]
    row = "{state:<7}{what:<32}{detail}".format_map
    answer(findings, as_json, lambda rows: "\n".join(map(row, rows)))
    raise typer.Exit(int(any(finding["state"] == "broken" for finding in findings)))


@app.command()
def up(config: Configuration = YAML) -> None:
    """Run everything in one process: sources, scores, alerts, messages, playbooks, API, pages."""
    _run(config)


@app.command()
def stream(config: Configuration = YAML) -> None:
    """Run sources, scores, alerts, messages and playbooks, without the API."""
    _run(config, serve=False)


@app.command()
def serve(config: Configuration = YAML) -> None:
    """Run the API and the pages, without the stream."""
    _run(config, stream=False)


def _run(path: Path, **halves: bool) -> None:
    from serving.up import configured
    from serving.up import up as run

    say = partial(print, flush=True)
    run(configured(path, report=say), clock=now, report=say, **halves)
