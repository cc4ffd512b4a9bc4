"""Commands that answer for the house: backtest, replay, coverage, incidents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from serving.cli.app import Json, Time, answer, app, now, progress, utc
from serving.cli.running import YAML, Configuration

__all__ = ["backtest", "coverage", "export", "incidents", "performance", "replay"]

incidents = typer.Typer(help="Incidents: export.", no_args_is_help=True)
app.add_typer(incidents, name="incidents")

Against = Annotated[
    Path | None, typer.Option(help="Another configuration, judged over the same past.")
]
Page = Annotated[Path | None, typer.Option(help="File to write, .md or .html; by default shown.")]


@app.command()
def backtest(
    since: Time = None,
    until: Time = None,
    against: Against = None,
    config: Configuration = YAML,
    as_json: Json = False,
) -> None:
    """Judge the lake's windows and scores by the whole configuration: who would have been told."""
    from pipeline.lake import Lake
    from serving.backtest import backtest as judge
    from serving.backtest import backtest_text, compare, engine_of, silences_of
    from serving.past import past_of, views_in

    given, store = _open(config)
    lake = Lake(given.home / "lake")
    past = [past_of(lake, view, utc(since), utc(until)) for view in views_in(lake)]
    silenced = silences_of(store)
    end = utc(until) or now()
    with _mistakes(), progress() as tell:
        first = judge(
            engine_of(given, lake, store, until=end),
            past,
            silenced=silenced,
            progress=lambda share: tell("judging", share),
        )
        if against is not None:
            other = judge(
                engine_of(_read(against), lake, store, until=end),
                past,
                silenced=silenced,
                progress=lambda share: tell("judging anew", share),
            )
            first |= {"against": other, "pages_differ": compare(first, other)}
    answer(first, as_json, backtest_text)


@app.command()
def replay(
    alert: Annotated[str, typer.Argument(help="Its id.")],
    config: Configuration = YAML,
    as_json: Json = False,
) -> None:
    """Judge one alert again from its evidence; exit 1 if it differs, 2 if something is gone."""
    from dataclasses import asdict

    from pipeline.database import reading
    from pipeline.lake import Lake
    from serving.replay import replay as judge
    from serving.rules.load import PACKS, load_packs
    from serving.settings import settings_of

    given, store = _open(config)
    with _mistakes():
        packs = load_packs([PACKS, *settings_of(given).rules])
    with _mistakes(), reading(store) as connection:
        found = judge(
            connection,
            alert,
            lake=Lake(given.home / "lake"),
            witness=given.home / "evidence",
            packs=packs,
        )
    answer(asdict(found) | {"same": found.code == 0}, as_json, lambda _: found.text())
    raise typer.Exit(found.code)


@app.command()
def performance(
    until: Time = None,
    days: Annotated[float, typer.Option(min=0.5, max=400, help="How far to look back.")] = 14.0,
    config: Configuration = YAML,
    as_json: Json = False,
) -> None:
    """Say where measures of machines and services are going, and what could be done about it."""
    from pipeline.lake import Lake
    from serving.performance import performance as report
    from serving.performance import performance_text
    from serving.rules.load import PACKS, load_packs
    from serving.settings import settings_of

    given = _read(config)
    with _mistakes():
        packs = load_packs([PACKS, *settings_of(given).rules])
    found = report(Lake(given.home / "lake"), packs, until=utc(until) or now(), days=days)
    answer(found, as_json, performance_text)


@app.command()
def coverage(config: Configuration = YAML, as_json: Json = False) -> None:
    """Say which line of the seed is answered by what, and when that was last put to use."""
    from pipeline.lake import Lake
    from serving.coverage import coverage as cover
    from serving.coverage import coverage_text
    from serving.playbooks.definition import LIBRARY, load_library
    from serving.rules.load import PACKS, load_packs
    from serving.settings import Settings, settings_of

    settings, store, lake = Settings.model_validate({}), None, None
    if config.exists():
        given, store = _open(config)
        settings, lake = settings_of(given), Lake(given.home / "lake")
    with _mistakes():
        packs = load_packs([PACKS, *settings.rules])
        library = load_library([LIBRARY, *settings.playbooks.folders])
    answer(cover(packs, library, settings.routes, store=store, lake=lake), as_json, coverage_text)


@incidents.command()
def export(
    incident: Annotated[str, typer.Argument(help="Its id.")],
    out: Page = None,
    config: Configuration = YAML,
) -> None:
    """Write an incident as one document, with the draft of a post-mortem."""
    from pipeline.database import reading
    from serving.export import document_of, to_html, to_markdown

    _, store = _open(config)
    with _mistakes(), reading(store) as connection:
        document = document_of(connection, incident)
    if out is None:
        print(to_markdown(document))
        return
    write = to_html if out.suffix == ".html" else to_markdown
    out.write_text(write(document), encoding="utf-8")
    print(out)


@contextmanager
def _mistakes() -> Iterator[None]:
    """What a person gave that cannot be used is one line and exit code 2."""
    from pipeline.files import InputError
    from serving.alerts.lifecycle import AlertError
    from serving.playbooks.definition import PlaybookError
    from serving.rules.load import RuleError

    try:
        yield
    except (AlertError, PlaybookError, RuleError) as error:
        raise InputError(str(error)) from error


def _read(path: Path) -> Any:
    from pipeline.config import read_config

    return read_config(path)


def _open(path: Path) -> tuple[Any, Any]:
    """A configuration and its store, migrated."""
    from pipeline.database import open_engine
    from serving.store.migrate import migrate

    config = _read(path)
    config.home.mkdir(parents=True, exist_ok=True)
    store = open_engine(config.store_url)
    migrate(store)
    return config, store
