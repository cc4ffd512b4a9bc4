"""Who decides in a drill: two people by a script, or whoever sits at the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from serving.playbooks.definition import Step
from serving.playbooks.people import approve, sign_off, skip
from serving.playbooks.rows import RunError
from serving.store.keys import Principal, Role

__all__ = ["ANN", "BOB", "Crew", "asked", "scripted"]

REACTION = timedelta(minutes=1)
"""How long the scripted people take for each decision."""
ANN, BOB = Principal("drill:ann", Role.ADMIN), Principal("drill:bob", Role.ADMIN)

Crew = Callable[[sa.Connection, str, Mapping[str, Any], Step, datetime], None]
"""Decides on one step that waits for people, or leaves it; may raise RunError."""


def scripted(answer: Callable[[str, str], str]) -> Crew:
    """Two people who take a minute for each decision, agree to everything, and write what is so.

    Parameters
    ----------
    answer : callable
        From the step and what it asks for: what can be written down by now; where that is
        nothing, they wait.
    """

    def crew(
        connection: sa.Connection, run: str, row: Mapping[str, Any], step: Step, now: datetime
    ) -> None:
        asked = row["started_at"] or row["due_at"]
        written = {name: answer(step.id, name) for name in step.evidence}
        for count, person in enumerate((ANN, BOB)):
            if count < len(row["approvals"]) or now < asked + REACTION * (count + 1):
                continue
            try:
                if row["state"] == "approval":
                    approve(connection, run, step.id, person, now=now)
                elif all(written.values()):
                    sign_off(connection, run, step.id, person, written, now=now)
            except RunError:  # one was enough
                return

    return crew


def asked(confirm: Callable[[str], bool], prompt: Callable[[str], str]) -> Crew:
    """People at a terminal: each decision waits for an answer, while the scene's clock stands."""

    def crew(
        connection: sa.Connection, run: str, row: Mapping[str, Any], step: Step, now: datetime
    ) -> None:
        person = (ANN, BOB)[min(len(row["approvals"]), 1)]
        if row["state"] == "approval":
            if confirm(f"{step.title} ({row['why']}): approve as {person.name}?"):
                approve(connection, run, step.id, person, now=now)
            else:
                skip(connection, run, step.id, person, "not approved in the drill", now=now)
            return
        written = {name: prompt(f"{step.guide}\n{step.title}, {name}") for name in step.evidence}
        sign_off(connection, run, step.id, person, written, now=now)

    return crew
