"""Every detector of the catalogue passes every check."""

from __future__ import annotations

import pytest

from models.catalogue import DETECTORS
from models.checks import Check, checks
from models.detector import Detector

CASES = [
    pytest.param(detector_class, check, id=f"{name}-{check.__name__}")
    for name, detector_class in DETECTORS.items()
    for check in checks(detector_class)
]


@pytest.mark.parametrize(("detector_class", "check"), CASES)
def test_every_detector_passes_every_check(detector_class: type[Detector], check: Check) -> None:
    check(detector_class)


def test_the_catalogue_key_is_the_name_of_the_detector() -> None:
    assert all(name == detector_class.name for name, detector_class in DETECTORS.items())
