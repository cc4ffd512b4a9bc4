"""Commands from events to windows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from serving.cli.app import HOME, Files, Home, Json, View, answer, app, now, view_named

__all__ = ["windows"]


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
    """Turn files of events into windows of a view."""
    from features.silence import batch_windows
    from pipeline.console import windows_text
    from pipeline.files import digest, read_events, write_parquet
    from pipeline.lake import Lake

    chosen = view_named(view)
    events, counts = read_events(chosen.stream, files, now=now(), refused_to=refused)
    table = batch_windows(chosen, events)
    if out is not None:
        write_parquet(table, out)
    else:
        # The same files again are the same append, which the lake takes once.
        Lake(home / "lake").append(chosen.name, table, transaction=(f"files-{digest(files)}", 1))
    given: dict[str, Any] = {"view": chosen.name, "events": len(events), "refused": dict(counts)}
    given |= {"windows": len(table), "out": str(out or home / "lake")}
    answer(given, as_json, windows_text)
