"""For the desk, in Markdown: a playbook as a checklist, and who may do what as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from serving.playbooks.action import Action
from serving.playbooks.definition import Phase, Playbook, Step
from serving.playbooks.policy import PEOPLE, WATCHED, needed

__all__ = ["checklist", "policy_table"]


def checklist(playbook: Playbook, actions: Mapping[str, Action]) -> str:
    """The playbook's dry run on paper: each step with who, by when, how, and what if not.

    Parameters
    ----------
    actions : mapping of str to Action
        For who must approve each; nothing is done.
    """
    limits = playbook.limits
    lines = [
        f"# {playbook.title}",
        "",
        f"{playbook.about.strip()}",
        "",
        f"Severity: {playbook.severity}. By itself at most {limits.automatic_a_day} times a day, "
        f"with {_time(limits.cooldown)} between on the same, on {limits.blast_radius} at once; "
        "never on a learned score alone.",
    ]
    for phase in playbook.phases:
        lines += ["", f"## {_when(phase)}: {phase.title}", ""]
        for step in phase.steps:
            lines += _step(playbook, step, actions)
    return "\n".join(lines) + "\n"


def policy_table(actions: Mapping[str, Action]) -> str:
    """What every action changes, how many people it needs at least, and whether it may begin alone.

    Made from the policy itself: no playbook can ask for less.
    """
    lines = ["| action | effect | people at least | by itself |", "|---|---|---|---|"]
    for name, action in sorted(actions.items()):
        if PEOPLE[action.effect]:
            alone = "never"
        elif action.effect in WATCHED:
            alone = "if a rule speaks for it, within the playbook's limits"
        else:
            alone = "yes"
        shown = action.effect.replace("_", " ")
        lines.append(f"| `{name}` | {shown} | {PEOPLE[action.effect]} | {alone} |")
    return "\n".join(lines) + "\n"


def _when(phase: Phase) -> str:
    return "After all before" if phase.at is None else f"T+{_time(phase.at)}"


def _step(playbook: Playbook, step: Step, actions: Mapping[str, Action]) -> Iterator[str]:
    answers = f" ({', '.join(step.requirement)})" if step.requirement else ""
    yield f"- [ ] **{step.title}**{answers}"
    yield f"  - {_who(step, actions)}, within {_time(step.timeout)}"
    if step.action:
        given = ", ".join(f"{name} {_said(value)}" for name, value in step.parameters.items())
        yield f"  - `{step.action}`{': ' + given if given else ''}"
    if step.guide:
        yield f"  - {' '.join(step.guide.split())}"
    titles = {one.id: one.title for _, one in playbook.steps}
    if step.needs:
        yield f"  - Only if the alert names: {', '.join(step.needs)}"
    if step.after:
        yield f"  - After: {'; '.join(titles[name] for name in step.after)}"
    if step.evidence:
        yield f"  - Write down: {', '.join(name.replace('_', ' ') for name in step.evidence)}"
    if step.undo:
        yield f"  - Way back, if people ask for it: `{step.undo}`"
    if step.otherwise:
        yield f"  - If it fails: {titles[step.otherwise]}. What comes after waits."
    elif step.on_failure == "stop":
        yield "  - If it fails, the run stops."


def _who(step: Step, actions: Mapping[str, Action]) -> str:
    owner = step.owner or "on-call"
    if step.kind == "manual":
        signs = "signs" if step.people == 1 else f"and {step.people - 1} more sign"
        return f"By hand: {owner} {signs}"
    people = needed(step, actions[step.action].effect)
    if not people:
        return f"Automatic; {owner} is told"
    role = "an admin" if step.role == "admin" else "a responder"
    return f"Waits for {people} to approve, each {role}; {owner} is told"


def _said(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(_said(one) for one in value)
    if isinstance(value, dict):
        return " ".join(map(str, value.values()))
    return " ".join(str(value).split())


def _time(time: timedelta) -> str:
    """A time as people say it.

    >>> _time(timedelta(minutes=15)), _time(timedelta(hours=2)), _time(timedelta(0))
    ('15m', '2h', '0')
    """
    seconds = round(time.total_seconds())
    for name, size in (("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{name}"
    return f"{seconds}s" if seconds else "0"
