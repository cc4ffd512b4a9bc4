"""Ten scenarios, each with its benign twin: a file each, found by its name ``s<number>_*.py``."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from pipeline.simulate.scenarios.scenario import TRUTH, Scenario, Stage

__all__ = ["SCENARIOS", "TRUTH", "Scenario", "Stage"]

SCENARIOS: dict[str, Scenario] = {
    found.name: import_module(f"{__name__}.{found.name}").SCENARIO
    for found in pkgutil.iter_modules(__path__)
    if found.name[:1] == "s" and found.name[1:3].isdigit()
}
"""Every scenario by the name of its file."""
