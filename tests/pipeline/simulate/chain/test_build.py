"""The committed bytecode is what the committed sources compile to."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.simulate.chain import build
from tests.pipeline.simulate.chain.nodes import absent

FOLDER = Path(build.__file__).parent / "contracts"


@pytest.fixture(scope="module")
def vyper() -> str:
    found = os.environ.get("VYPER") or shutil.which("vyper")
    if found is None:
        absent("vyper", f"pip install vyper=={build.VYPER}, or set VYPER to the program")
    assert found is not None
    version = subprocess.run([found, "--version"], check=True, capture_output=True, text=True)
    if version.stdout.partition("+")[0].strip() != build.VYPER:
        absent(f"vyper {build.VYPER}", f"found {version.stdout.strip()}")
    return found


@pytest.mark.parametrize("name", build.CONTRACTS)
def test_recompiling_gives_what_is_committed(vyper: str, name: str) -> None:
    committed = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert build.compiled(name, vyper) == committed


def test_every_source_but_the_module_is_compiled() -> None:
    sources = {file.stem for file in FOLDER.glob("*.vy")}
    assert sources - {"Custody"} == set(build.CONTRACTS)
    assert {file.stem for file in FOLDER.glob("*.json")} == set(build.CONTRACTS)


@pytest.mark.parametrize("name", build.CONTRACTS)
def test_what_is_committed_is_code(name: str) -> None:
    made = build.artefact(name)
    assert made.bytecode.startswith("0x")
    assert len(bytes.fromhex(made.bytecode[2:])) > 100
    assert any(entry["type"] in {"function", "fallback"} for entry in made.abi)
