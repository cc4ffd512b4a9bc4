"""Evidence, kept before anybody changes anything: windows, the database, transactions."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import orjson

from serving.playbooks.action import ActionError, Context, Outcome, ParameterError
from serving.playbooks.actions.calls import chain_of
from serving.playbooks.actions.chain_look import touching
from serving.playbooks.actions.folder import folder_of, keep, sealed
from serving.playbooks.actions.look import Look
from serving.playbooks.actions.parameters import address, listed, whole

__all__ = ["ACTIONS"]

SYSTEM = ("system.service_1m", "system.host_1m", "system.database_1m", "system.network_1m")


def _minutes(context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "minutes": whole(parameters, "minutes", 60, least=1, most=10_080),
        "views": listed(parameters, "views", SYSTEM),
    }


def _snapshot(context: Context, intent: Mapping[str, Any]) -> Outcome:
    lake = context.services.get("lake")
    if lake is None:
        raise ParameterError("service lake is missing; expected the lake of windows")
    files: dict[str, bytes] = {}
    since = context.now - timedelta(minutes=intent["minutes"])
    for view in sorted(set(intent["views"]) & set(lake.views())):
        written = io.BytesIO()
        lake.windows(view, since=since).write_parquet(written)
        files[f"{view}.parquet"] = written.getvalue()
    if analysis := _analysis(context):
        files["database.json"] = analysis
    if not files:
        raise ActionError(f"nothing to keep: no windows of {', '.join(intent['views'])}")
    facts = keep(folder_of(context), files)
    return Outcome(f"kept {len(facts['files'])} files, sealed as {facts['sha256'][:12]}", facts)


def _analysis(context: Context) -> bytes:
    """What the platform says of its database: slow queries, locks, pools; empty without."""
    platform = context.services.get("platform")
    if platform is None:
        return b""
    try:
        answer: httpx.Response = platform.get("admin/database/analysis")
    except httpx.HTTPError as error:
        raise ActionError(f"database analysis: {type(error).__name__}") from None
    return answer.content if answer.status_code == 200 else b""


def _span(context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "contract": address(context, parameters, "contract"),
        "blocks": whole(parameters, "blocks", 100, least=1, most=10_000),
    }


def _transactions(context: Context, intent: Mapping[str, Any]) -> Outcome:
    rows = [
        {
            "hash": sent.hash,
            "block": block.number,
            "at": block.time,
            "sender": sent.sender,
            "to": sent.to,
            "value_wei": str(sent.value),
            "selector": sent.selector,
            "success": receipt.success,
            "gas_used": receipt.gas_used,
            "events": len(receipt.logs),
        }
        for block, sent, receipt in touching(
            chain_of(context), intent["contract"], intent["blocks"]
        )
    ]
    lines = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    facts = keep(folder_of(context), {"transactions.jsonl": lines})
    return Outcome(f"kept {len(rows)} transactions", facts | {"transactions": len(rows)})


def _sealed(context: Context, intent: Mapping[str, Any]) -> bool:
    return sealed(folder_of(context))


ACTIONS = [
    Look(
        "evidence.snapshot",
        "keeps the windows of the system and the database's analysis, sealed",
        _minutes,
        lambda given: f"keep the last {given['minutes']} minutes of {', '.join(given['views'])}",
        _snapshot,
        _sealed,
    ),
    Look(
        "evidence.transactions",
        "keeps the transactions of a contract, sealed",
        _span,
        lambda given: (
            f"keep the last {given['blocks']} blocks' transactions of {given['contract']}"
        ),
        _transactions,
        _sealed,
    ),
]
