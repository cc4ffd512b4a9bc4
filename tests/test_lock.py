"""The lock pins everything by version and hash, tells no address, and keeps up with the project."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NOT_LOCKED = {"spark"}  # 400 MB that neither `make demo` nor `make test` uses


def faults(lock: str, wanted: list[Requirement]) -> list[str]:
    """Everything that is wrong with a lock from which `wanted` is to be installed."""
    found = [
        f"line {number}: an address or a path: {line}"
        for number, line in enumerate(lock.splitlines(), 1)
        if re.search(r"https?:|file:|git\+|@ |^\s*-[^-]|^--|\.\./|(^|\s)~?/", line)
    ]
    pinned: dict[str, list[str]] = {}
    for entry in re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"(?m)^\s*#.*\n?", "", lock)):
        if not (pin := re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)", entry)):
            found.append(f"not pinned: {entry.splitlines()[0] if entry else 'nothing at all'}")
        elif not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry):
            found.append(f"no hash: {pin[0]}")
        else:
            pinned.setdefault(canonicalize_name(pin[1]), []).append(pin[2])
    for requirement in wanted:
        versions = pinned.get(canonicalize_name(requirement.name), [])
        if not versions:
            found.append(f"not in the lock: {requirement}")
        for version in versions:
            if not requirement.specifier.contains(version, prereleases=True):
                found.append(f"the lock has {version} for {requirement}")
    return found


def wanted_by(project: dict[str, dict[str, dict[str, list[str]]]]) -> list[Requirement]:
    extras = project["project"]["optional-dependencies"]
    lines = [
        *project["project"]["dependencies"],
        *(line for name, extra in extras.items() if name not in NOT_LOCKED for line in extra),
        *project["build-system"]["requires"],
    ]
    return [Requirement(line) for line in lines]


def test_the_lock_is_complete_and_tells_no_address() -> None:
    found = faults(LOCK, wanted_by(PROJECT))
    assert not found, "run `make lock`\n" + "\n".join(found)


def test_the_installer_is_locked_too() -> None:
    assert re.search(r"(?m)^uv==", LOCK)


def test_the_extras_are_those_of_the_design() -> None:
    assert set(PROJECT["project"]["optional-dependencies"]) == {
        "kafka",
        "apprise",
        "sigma",
        "spark",
        "postgres",
        "demo",
        "dev",
    }


GOOD = (
    f"# made by\n#    make lock\na-b==1.2 ; python_version < '3' \\\n    --hash=sha256:{'0' * 64}\n"
)


def test_a_good_lock_has_no_faults() -> None:
    assert faults(GOOD, [Requirement("A_b[x]>=1")]) == []


@pytest.mark.parametrize(
    ("lock", "wanted", "complaint"),
    [
        (GOOD, "c>=1", "not in the lock: c"),
        (GOOD, "a-b>=2", "the lock has 1.2 for a-b"),
        (GOOD + "c==1\n", "a-b", "no hash: c==1"),
        (GOOD + "c>=1\n", "a-b", "not pinned: c>=1"),
        ("", "a-b", "not pinned: nothing"),
        ("--index-url https://host/simple\n" + GOOD, "a-b", "line 1: an address"),
        ("-r other.txt\n" + GOOD, "a-b", "line 1: an address"),
        ("-e .\n" + GOOD, "a-b", "line 1: an address"),
        (GOOD + "c @ file:///wheels/c.whl\n", "a-b", "line 5: an address"),
        (GOOD + "    # via /home/me/setup.py\n", "a-b", "line 5: an address"),
    ],
)
def test_a_bad_lock_is_refused(lock: str, wanted: str, complaint: str) -> None:
    assert any(complaint in line for line in faults(lock, [Requirement(wanted)]))
