"""The interface against its own description, by schemathesis: all its checks, for anyone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode

from serving.store.keys import Role
from tests.serving.api.calling import Caller

# A request can be of the right form and yet name what is not there or cannot be.
FINE = ["2xx", "401", "403", "404", "409", "413", "415", "422", "429", "503"]
CHECKS = {"checks": {"positive_data_acceptance": {"expected-statuses": FINE}}}


def attack(call: Caller, times: int, roles: Sequence[Role | None]) -> list[str]:
    """Call every operation with good and bad data as each, hold each answer against every check.

    To make the data takes longer than to answer it, so all are given the same.
    """
    config = SchemathesisConfig.from_dict(CHECKS)
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", call.app, config=config)
    asked = []
    for found in schema.get_all_operations():
        operation: Any = found.ok()
        _each(operation, GenerationMode.POSITIVE, call, roles, times)
        # What takes nothing cannot be given anything wrong.
        with suppress(Unsatisfiable):
            _each(operation, GenerationMode.NEGATIVE, call, roles, times)
        asked.append(operation.label)
    return asked


def _each(
    operation: Any, mode: GenerationMode, call: Caller, roles: Sequence[Role | None], times: int
) -> None:
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
        for role in roles:
            note(f"as {role}")
            headers = {} if role is None else {"Authorization": f"Bearer {call.keys[role]}"}
            case.call_and_validate(headers=headers)

    each()


def test_every_operation_is_as_it_is_described(shared_call: Caller) -> None:
    asked = attack(shared_call, 3, [Role.ADMIN, None])
    assert {"POST /v1/score", "POST /v1/events/{stream}", "GET /v1/alerts"} <= set(asked)


@pytest.mark.slow
def test_every_operation_is_as_it_is_described_to_everyone(shared_call: Caller) -> None:
    attack(shared_call, 100, [*Role, None])
