"""Commands on rules: those of others, made ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from serving.cli.app import Json, answer, app

__all__ = ["rules"]

Sigma = Annotated[list[Path], typer.Argument(help="YAML files of Sigma rules and correlations.")]
PackFile = Annotated[Path, typer.Option("--out", help="YAML file of the rule pack to write.")]

rules = typer.Typer(help="Rules as data.", no_args_is_help=True)
app.add_typer(rules, name="rules")


@rules.command(name="import")
def import_rules(files: Sigma, out: PackFile, as_json: Json = False) -> None:
    """Turn Sigma rules for web servers and logins into a rule pack; name what does not map.

    Without a rule that maps nothing is written, and the exit code is 1.
    """
    import yaml

    from pipeline.files import InputError
    from serving.rules.sigma import import_sigma

    try:
        done = import_sigma("\n---\n".join(file.read_text(encoding="utf-8") for file in files))
    except ModuleNotFoundError as error:
        raise InputError("Sigma rules are read by pySigma; expected the extra sigma") from error
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}; expected Sigma rules") from error
    except ValueError as error:
        raise InputError(f"{', '.join(map(str, files))}: {error}") from error
    pack = done.pack
    mapped = [rung.id for ladder in pack.ladders for rung in ladder.rungs]
    mapped += [correlation.id for correlation in pack.correlations]
    if mapped:
        plain = pack.model_dump(mode="json", exclude_defaults=True, by_alias=True)
        try:
            out.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{out}: {error.strerror}; expected a file to write") from error
    answer({"mapped": mapped, "wider": done.wider, "refused": done.refused}, as_json, _said)
    raise typer.Exit(0 if mapped else 1)


def _said(done: dict[str, Any]) -> str:
    lines = [f"mapped   {name}" for name in done["mapped"]]
    lines += [f"wider    {title}: {why}" for title, why in done["wider"].items()]
    lines += [f"refused  {title}: {why}" for title, why in done["refused"].items()]
    return "\n".join(lines) or "no rules in these files"
