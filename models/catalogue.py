"""Every detector, one line each; the check suite and the model files find them here."""

from __future__ import annotations

from models.detector import Detector
from models.half_space_trees import HalfSpaceTrees
from models.isolation_forest import IsolationForest
from models.nearest_normal import NearestNormal
from models.surge import Surge

__all__ = ["DETECTORS"]

DETECTORS: dict[str, type[Detector]] = {
    IsolationForest.name: IsolationForest,
    HalfSpaceTrees.name: HalfSpaceTrees,
    NearestNormal.name: NearestNormal,
    Surge.name: Surge,
}
