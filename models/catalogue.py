"""Every detector, one line each; scorers, the check suite and the model files find them here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from models.bands import Bands
from models.change import Change
from models.detector import Detector
from models.half_space_trees import HalfSpaceTrees
from models.isolation_forest import IsolationForest
from models.nearest_normal import NearestNormal
from models.surge import Surge

__all__ = ["DETECTORS", "KINDS", "Kind", "Sees"]

Sees = Literal["concern", "differences", "levels", "multiples"]


@dataclass(frozen=True)
class Kind:
    """What an arm of a scorer is, as far as its detector decides it.

    Parameters
    ----------
    detector : type of Detector
    sees : str
        Which input of `pipeline.scoring.inputs`.
    share : float or None
        Of all false alarms. None for a chief: of the chiefs that have an input in a view the
        first is taken, and has what the other arms leave. 0 for one that speaks beside them: it
        is no part of a window's probability, and its raw score stands in the table of scores.
    bounded : bool
        Whether the score has a greatest value; see `models.calibration.Calibration`.
    learns : {"admitted", "everything", "nothing"}
        What the guard lets go, after the whole history; or every window at once. A detector of
        slow changes follows what others flag, and its own flags are not held against a window:
        they speak of the days before it.
    usual : callable, optional
        What the history that a detector was fitted on would score; its score of it by default.
    """

    detector: type[Detector]
    sees: Sees
    share: float | None
    bounded: bool = False
    learns: Literal["admitted", "everything", "nothing"] = "admitted"
    usual: Callable[[Any, Any], Any] = lambda detector, history: detector.score(history)


# The shares are measured: docs/detection.md.
KINDS: tuple[Kind, ...] = (
    Kind(IsolationForest, "concern", 0.01, bounded=True),
    Kind(HalfSpaceTrees, "concern", 0.01, bounded=True),
    Kind(Bands, "differences", 0.005),
    Kind(Change, "levels", 0.0, bounded=True, learns="everything"),
    Kind(Surge, "multiples", None, learns="nothing"),
    Kind(NearestNormal, "concern", None, usual=lambda detector, history: detector.usual),
)

DETECTORS: dict[str, type[Detector]] = {kind.detector.name: kind.detector for kind in KINDS}
