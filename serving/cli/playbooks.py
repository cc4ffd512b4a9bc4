"""Commands on playbooks: drilled, exported, shown as a checklist."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from serving.cli.app import HOME, Home, Json, Seed, answer, app, now
from serving.cli.running import YAML, Configuration

__all__ = ["drill", "export", "playbooks"]

Name = Annotated[str, typer.Argument(help="Name of a playbook, such as contract_compromise.")]

playbooks = typer.Typer(help="Playbooks as data.", no_args_is_help=True)
export = typer.Typer(help="What other tools read.", no_args_is_help=True)
app.add_typer(playbooks, name="playbooks")
app.add_typer(export, name="export")


def _named(name: str) -> Any:
    from serving.playbooks.definition import PlaybookError, load_library

    library = load_library()
    if name not in library:
        raise PlaybookError(f"no playbook {name!r}; expected one of {', '.join(sorted(library))}")
    return library[name]


@app.command()
def drill(
    playbook: Name,
    human: Annotated[bool, typer.Option("--human", help="Ask on this terminal.")] = False,
    anvil: Annotated[bool, typer.Option("--anvil", help="On anvil; what waits is seen.")] = False,
    config: Configuration = YAML,
    home: Home = HOME,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Play a playbook on a made-up incident, and grade it; exit 1 if it did not pass.

    The grade is kept in the store of the configuration, or where there is none, of the folder.
    """
    from tempfile import TemporaryDirectory

    from pipeline.config import read_config
    from pipeline.database import open_engine
    from serving.playbooks.crew import asked
    from serving.playbooks.drill import drill as play
    from serving.playbooks.grade import in_words, remember
    from serving.store.migrate import migrate

    chosen = _named(playbook)
    with TemporaryDirectory(prefix="tocsin-drill-") as folder:
        crew = asked(typer.confirm, typer.prompt) if human else None
        grade = play(chosen, Path(folder), seed=seed, crew=crew, anvil=anvil)
    url = f"sqlite:///{home / 'tocsin.db'}"
    if config.exists():
        given = read_config(config)
        home, url = given.home, given.store_url
    home.mkdir(parents=True, exist_ok=True)
    engine = open_engine(url)
    migrate(engine)
    with engine.begin() as connection:
        remember(connection, grade, now=now())
    engine.dispose()
    answer(grade, as_json, in_words)
    raise typer.Exit(0 if grade["passed"] else 1)


@export.command()
def cacao(playbook: Name) -> None:
    """A playbook as a CACAO 2.0 document."""
    from serving.playbooks.cacao import exported

    answer(exported(_named(playbook), now=now()), True, str)


@playbooks.command()
def schema() -> None:
    """JSON Schema of a playbook's file."""
    from serving.playbooks.definition import schema as of_file

    answer(of_file(), True, str)


@playbooks.command()
def policy() -> None:
    """Who may do what: every action with the people it needs, in Markdown."""
    from serving.playbooks.actions.catalogue import ACTIONS
    from serving.playbooks.checklist import policy_table

    answer(policy_table(ACTIONS), False, str)


@playbooks.command()
def checklist(playbook: Name) -> None:
    """A playbook as a checklist in Markdown."""
    from serving.playbooks.actions.catalogue import ACTIONS
    from serving.playbooks.checklist import checklist as of

    answer(of(_named(playbook), ACTIONS), False, str)
