"""Commands that run the house and ask how it is."""

from __future__ import annotations

import typer

from serving.cli.app import HOME, Home, Json, Seed, answer, app, now, progress

__all__ = ["demo", "doctor"]


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
