"""Compile the contracts: `python -m pipeline.simulate.chain.build` with vyper installed.

ABI and bytecode are committed beside the sources, so that nobody else needs the compiler.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["CONTRACTS", "VYPER", "Artefact", "artefact", "compiled"]

FOLDER = Path(__file__).parent / "contracts"
CONTRACTS = (
    "Arbitrageur",
    "Attacker",
    "Bridge",
    "Lender",
    "Mixer",
    "Pool",
    "Token",
    "UnsafeVault",
    "Vault",
)
VYPER = "0.4.3"
"""Version of the compiler that the committed bytecode comes from."""


@dataclass(frozen=True)
class Artefact:
    """A compiled contract: its interface, and the code that deploys it."""

    abi: list[dict[str, Any]]
    bytecode: str


@cache
def artefact(name: str) -> Artefact:
    """The committed interface and bytecode of a contract, one of `CONTRACTS`."""
    kept = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return Artefact(kept["abi"], kept["bytecode"])


def compiled(name: str, vyper: str) -> str:
    """What the compiler makes of a contract now, as the text that is committed.

    Raises
    ------
    subprocess.CalledProcessError
        The compiler refuses the contract.
    """
    command = [vyper, "-p", ".", "-f", "abi,bytecode", f"{name}.vy"]
    run = subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, text=True)
    abi, bytecode = run.stdout.strip().splitlines()
    return json.dumps({"vyper": VYPER, "abi": json.loads(abi), "bytecode": bytecode}) + "\n"


def main() -> None:
    vyper = shutil.which("vyper")
    if vyper is None:
        sys.exit(f"vyper is not installed; expected version {VYPER}: pip install vyper=={VYPER}")
    for name in CONTRACTS:
        (FOLDER / f"{name}.json").write_text(compiled(name, vyper), encoding="utf-8")


if __name__ == "__main__":
    main()
