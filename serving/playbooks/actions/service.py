"""Services: how many copies run, which version, and what share of the load is let in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from serving.playbooks.actions.admin import AdminAction, Wanted, named
from serving.playbooks.actions.parameters import text, whole

__all__ = ["ACTIONS"]

MOST_REPLICAS = 100


def _scaled(parameters: Mapping[str, Any]) -> Wanted:
    service = text(parameters, "service")
    count = whole(parameters, "replicas", least=1, most=MOST_REPLICAS)
    return [named("services", service)], {"replicas": count}, f"run {count} copies of {service}"


def _rolled_back(parameters: Mapping[str, Any]) -> Wanted:
    service, version = text(parameters, "service"), text(parameters, "version")
    words = f"roll {service} back to version {version}"
    return [named("services", service)], {"version": version}, words


def _only_less(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    let_in = state.get("percent")
    if isinstance(let_in, int) and wanted["percent"] <= let_in:
        return ""
    return f"{let_in} % are let in; shedding to {wanted['percent']} % would let more in"


def _load(parameters: Mapping[str, Any]) -> Wanted:
    percent = whole(parameters, "percent", least=1, most=100)
    return ["gates/load"], {"percent": percent}, f"let {percent} % of the load in"


def _deploys(frozen: bool) -> Callable[[Mapping[str, Any]], Wanted]:
    words = "let nobody deploy" if frozen else "let people deploy again"
    return lambda parameters: (["deploys"], {"frozen": frozen}, words)


ACTIONS = [
    AdminAction("service.scale", "runs more or fewer copies of a service", "contain", _scaled),
    AdminAction("service.roll_back", "puts an earlier version back", "contain", _rolled_back),
    AdminAction("service.shed", "lets less of the load in", "contain", _load, _only_less),
    AdminAction(
        "service.let_all_in",
        "lets all of the load in",
        "restore",
        lambda parameters: (["gates/load"], {"percent": 100}, "let all of the load in"),
    ),
    AdminAction("service.ramp", "lets a share of the load in", "restore", _load),
    AdminAction("deploys.freeze", "lets nobody deploy", "contain", _deploys(True)),
    AdminAction("deploys.unfreeze", "lets people deploy again", "restore", _deploys(False)),
]
