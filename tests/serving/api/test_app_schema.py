"""The interface against its own description, by schemathesis: all its checks, for anyone."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode

from serving.store.keys import Role
from tests.serving.api.calling import Caller

# A request can be of the right form and yet name what is not there or cannot be.
FINE = ["2xx", "401", "403", "404", "409", "413", "415", "422", "429", "503"]
CHECKS = {"checks": {"positive_data_acceptance": {"expected-statuses": FINE}}}


def attack(call: Caller, times: int, role: Role | None) -> list[str]:
    """Call every operation with good and bad data, hold each answer against every check."""
    config = SchemathesisConfig.from_dict(CHECKS)
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", call.app, config=config)
    headers = {} if role is None else {"Authorization": f"Bearer {call.keys[role]}"}
    asked = []
    for found in schema.get_all_operations():
        operation: Any = found.ok()
        _each(operation, GenerationMode.POSITIVE, headers, times)
        # What takes nothing cannot be given anything wrong.
        with suppress(Unsatisfiable):
            _each(operation, GenerationMode.NEGATIVE, headers, times)
        asked.append(operation.label)
    return asked


def _each(operation: Any, mode: GenerationMode, headers: dict[str, str], times: int) -> None:
    @settings(
        max_examples=times,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def each(case: Any) -> None:
        case.call_and_validate(headers=headers)

    each()


@pytest.mark.parametrize("role", [Role.ADMIN, None])
def test_every_operation_is_as_it_is_described(shared_call: Caller, role: Role | None) -> None:
    asked = attack(shared_call, 3, role)
    assert {"POST /v1/score", "POST /v1/events/{stream}", "GET /v1/alerts"} <= set(asked)


@pytest.mark.slow
@pytest.mark.parametrize("role", [*Role, None])
def test_every_operation_is_as_it_is_described_a_hundred_times(
    shared_call: Caller, role: Role | None
) -> None:
    attack(shared_call, 100, role)
