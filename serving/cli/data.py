"""Commands from events to windows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from serving.cli.app import HOME, Files, Home, Json, View, answer, app, now, view_named
from serving.cli.running import YAML, Configuration

__all__ = ["backfill", "windows"]

Sources = Annotated[
    list[Path], typer.Argument(help="Parquet, CSV or JSON-lines files of events, or folders.")
]


@app.command()
def windows(
    view: View,
    files: Files,
    out: Annotated[
        Path | None, typer.Option(help="Parquet file to write; without it, the lake.")
    ] = None,
    refused: Annotated[
        Path | None,
        typer.Option(help="Parquet file for refused rows; without it, one is an error."),
    ] = None,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Turn files of events, in any order and all at once, into windows of a view.

    Exit 1 if the lake has some of them with other values; it keeps its own.
    """
    from features.silence import batch_windows
    from pipeline.backfill import keep
    from pipeline.console import windows_text
    from pipeline.files import read_events, write_parquet
    from pipeline.lake import Lake

    chosen = view_named(view)
    events, counts = read_events(chosen.stream, files, now=now(), refused_to=refused)
    table = batch_windows(chosen, events)
    given: dict[str, Any] = {"view": chosen.name, "events": len(events), "refused": dict(counts)}
    given |= {"windows": len(table), "out": str(out or home / "lake")}
    if out is not None:
        write_parquet(table, out)
        answer(given, as_json, windows_text)
        return
    kept = keep(Lake(home / "lake"), chosen, table)
    answer(given | vars(kept), as_json, lambda told: f"{windows_text(told)}: {kept.text()}")
    raise typer.Exit(int(kept.differ > 0))


@app.command()
def backfill(
    view: View,
    files: Sources,
    engine: Annotated[
        Literal["local"], typer.Option(help="What computes: this machine.")
    ] = "local",
    lake: Annotated[
        Path | None, typer.Option(help="Folder of the lake; by default the configuration's.")
    ] = None,
    config: Configuration = YAML,
    as_json: Json = False,
) -> None:
    """Turn a history of events into windows in the lake, as the stream would have done.

    Exit 1 if the lake has some of them with other values; it keeps its own.
    """
    from pipeline.backfill import backfill as fill
    from pipeline.config import read_config
    from pipeline.lake import Lake

    place = lake or read_config(config).home / "lake"
    filled = fill(view_named(view), files, Lake(place), now=now())
    given = {"view": view, "engine": engine, "lake": str(place), "given": filled.given}
    given |= {"accepted": filled.accepted, "refused": filled.refused, "late": filled.late}
    given |= {"future": filled.future} | vars(filled.kept)
    answer(given, as_json, lambda _: filled.text())
    raise typer.Exit(int(filled.kept.differ > 0))
