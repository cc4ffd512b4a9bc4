"""What a playbook may say: phases with a clock, steps with an owner, a check and a way back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from pipeline.files import InputError
from serving.rules.rule import Span, span
from serving.severity import Severity

__all__ = [
    "LIBRARY",
    "Limits",
    "Phase",
    "Playbook",
    "PlaybookError",
    "Step",
    "load_library",
    "load_playbook",
    "schema",
]

LIBRARY = Path(__file__).parent / "library"
"""The playbooks that come with the house."""


class PlaybookError(InputError):
    """A playbook that cannot be used."""


def clock(text: str) -> timedelta:
    """Time after the start, as the seed writes it.

    >>> clock("T+0"), clock("T+15m")
    (datetime.timedelta(0), datetime.timedelta(seconds=900))
    """
    found = re.fullmatch(r"T\+(0|\d+[smhd])", str(text))
    if not found:
        raise ValueError(f"at is {text!r}; expected T+0, or such as T+5m")
    return timedelta(0) if found[1] == "0" else span(found[1])


Clock = Annotated[
    timedelta,
    BeforeValidator(lambda given: given if isinstance(given, timedelta) else clock(given)),
    PlainSerializer(lambda time: f"T+{time.total_seconds():.0f}s", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^T\+(0|\d+[smhd])$", "examples": ["T+5m"]}),
]
Grade = Annotated[Severity, BeforeValidator(Severity.of)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Strict(BaseModel):
    """A part of a playbook; a word that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Step(Strict):
    """One thing to do.

    Parameters
    ----------
    kind : {"automatic", "approval", "manual"}
        Done by an action at once; by an action after people approve; by a person who signs off.
    action, with : str, dict
        Which action, and its parameters; ``{name}`` is filled from the run's parameters.
    people : int
        How many must approve or sign off; 2 where money or rights move.
    role : str
        Who may: responder, admin.
    owner : str
        Who is told that it waits, such as ``sc-senior``.
    after : list of str
        Steps that must be done before, besides the clock.
    needs : list of str
        Parameters of the run without which there is nothing to do: the step is then skipped.
    evidence : list of str
        What a person must write down to sign off.
    timeout : timedelta
        Overdue after this long past its time.
    on_failure : {"escalate", "continue", "stop"}
    undo : str
        The action that takes it back; it acts only when somebody asks for it and people approve.
    otherwise : str
        A later step that is done only if this one fails. That makes this one a gate: what comes
        after a gate that failed waits until a person has it tried again.
    """

    id: Name
    title: str
    requirement: list[str] = []
    kind: Literal["automatic", "approval", "manual"]
    action: str = ""
    parameters: dict[str, Any] = Field(default={}, alias="with")
    people: int = Field(default=1, ge=1, le=3)
    role: Literal["responder", "admin"] = "responder"
    owner: str = ""
    after: list[Name] = []
    needs: list[Name] = []
    evidence: list[str] = []
    timeout: Span = timedelta(minutes=5)
    on_failure: Literal["escalate", "continue", "stop"] = "escalate"
    undo: str = ""
    otherwise: str = ""
    guide: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Step:
        if (self.kind == "manual") == bool(self.action):
            raise ValueError(f"step {self.id}: expected an action, or kind manual without one")
        if self.kind == "manual" and not self.guide:
            raise ValueError(f"step {self.id}: expected a guide that says what to do by hand")
        return self


class Phase(Strict):
    """Steps that begin at one time. ``recovery`` begins when the phases before it are done."""

    title: str
    at: Clock | None = None
    recovery: bool = False
    steps: list[Step] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_a_time(self) -> Phase:
        if (self.at is None) != self.recovery:
            raise ValueError(f"phase {self.title!r}: expected a time, or recovery without one")
        return self


class Limits(Strict):
    """How far it may go by itself.

    Parameters
    ----------
    automatic_a_day : int
        Runs that contain something without asking.
    cooldown : timedelta
        Between two of them about the same thing.
    blast_radius : int
        How many accounts, keys or addresses one step may touch without asking.
    """

    automatic_a_day: int = Field(default=3, ge=0)
    cooldown: Span = timedelta(minutes=30)
    blast_radius: int = Field(default=1, ge=1)


class Playbook(Strict):
    """Timed steps against one kind of incident.

    Parameters
    ----------
    parameters : dict of str to str
        What steps are filled with, from the alert: ``{entity}``, labels and evidence by name.
    shadow : bool
        Say what would be done, do nothing.
    """

    playbook: Name
    title: str
    about: str
    severity: Grade
    requirement: list[str] = []
    parameters: dict[str, str] = {}
    limits: Limits = Limits()
    shadow: bool = False
    phases: list[Phase] = Field(min_length=1)

    @property
    def steps(self) -> Iterator[tuple[Phase, Step]]:
        """Every step with its phase, in order."""
        return ((phase, step) for phase in self.phases for step in phase.steps)

    @model_validator(mode="after")
    def _holds_together(self) -> Playbook:
        seen: set[str] = set()
        for _, step in self.steps:
            if step.id in seen:
                raise ValueError(f"step {step.id} is there twice")
            if unknown := [name for name in step.after if name not in seen]:
                raise ValueError(f"step {step.id} waits for {unknown[0]}, which no earlier step is")
            if unknown := [name for name in step.needs if name not in self.parameters]:
                raise ValueError(f"step {step.id} needs {unknown[0]}, which no parameter is")
            seen.add(step.id)
        order = [step.id for _, step in self.steps]
        for _, step in self.steps:
            if step.otherwise and step.otherwise not in order[order.index(step.id) + 1 :]:
                raise ValueError(f"step {step.id}: otherwise {step.otherwise}, which no later is")
        times = [phase.at for phase in self.phases if phase.at is not None]
        if times != sorted(times):
            raise ValueError("phases are not in order of their times")
        return self


def load_playbook(file: Path) -> Playbook:
    """One playbook.

    Raises
    ------
    PlaybookError
        The file cannot be read, or what it says is not a playbook.
    """
    try:
        return Playbook.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise PlaybookError(f"{file}: {error.strerror}; expected a playbook") from error
    except yaml.YAMLError as error:
        raise PlaybookError(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise PlaybookError(f"{file.name}: {where}: {first['msg']}") from error


def load_library(places: Iterable[Path] = (LIBRARY,)) -> dict[str, Playbook]:
    """Every playbook in the folders, by name; one in a later folder replaces an earlier one."""
    found = [load_playbook(file) for place in places for file in sorted(place.glob("*.yaml"))]
    return {playbook.playbook: playbook for playbook in found}


def schema() -> dict[str, Any]:
    """JSON Schema of a playbook's file."""
    return Playbook.model_json_schema(by_alias=True)
