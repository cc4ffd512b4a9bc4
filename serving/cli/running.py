"""Commands that run the house and ask how it is."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from serving.cli.app import HOME, Home, Json, Seed, answer, app, now, progress

__all__ = ["demo", "doctor", "serve", "stream", "up"]

Configuration = Annotated[
    Path, typer.Option("--config", help="Written with defaults where it is not there.")
]
YAML = Path("tocsin.yaml")


@app.command()
def demo(seed: Seed = 0, home: Home = HOME / "demo", as_json: Json = False) -> None:
    """Run the main job on five made-up days of an exchange and on this machine."""
    from pipeline.demo import demonstrate

    with progress() as tell:
        shown = demonstrate(home, seed=seed, clock=now, progress=tell)
    from pipeline.show import demonstration_json, demonstration_text

    if as_json:
        answer(demonstration_json(shown), True, str)
    else:
        demonstration_text(shown)


@app.command()
def doctor(home: Home = HOME, as_json: Json = False) -> None:
    """Say what is configured, reachable, behind or missing."""
    from pipeline.doctor import examine

    findings = [vars(finding) for finding in examine(home, now=now())]
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
    raise typer.Exit(run(configured(path, report=say), clock=now, report=say, **halves))
