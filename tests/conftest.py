"""One profile of hypothesis for all tests, whichever of them are run and in whatever order."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine is slow, not wrong; and a suite that is green today is green tomorrow.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")
