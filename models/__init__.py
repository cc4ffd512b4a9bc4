"""What is unusual: detectors that see matrices of windows by features, and nothing else."""

from __future__ import annotations

from models.catalogue import DETECTORS
from models.detector import (
    Detector,
    Matrix,
    MatrixError,
    NotWarmError,
    OnlineDetector,
    State,
    StateError,
    Vector,
    as_matrix,
)
from models.half_space_trees import HalfSpaceTrees
from models.isolation_forest import IsolationForest
from models.persistence import ModelFileError, load, save

__all__ = [
    "DETECTORS",
    "Detector",
    "HalfSpaceTrees",
    "IsolationForest",
    "Matrix",
    "MatrixError",
    "ModelFileError",
    "NotWarmError",
    "OnlineDetector",
    "State",
    "StateError",
    "Vector",
    "as_matrix",
    "load",
    "save",
]
