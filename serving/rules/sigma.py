"""Import of Sigma rules for web servers and logins, as far as they map; the rest is named with why.

A Sigma rule matches single events, ours judge windows. So a rule maps only where a feature counts
the events it matches, and a Sigma correlation only where its time is the length of our windows.
Nothing is bent to fit: what does not map is refused with a reason.

Sources: Sigma specification 2.0, rules and correlation rules; read by pySigma.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from features.catalogue import VIEWS
from pipeline.sources.parsers.parsed import ODD
from serving.rules.rule import Pack
from serving.severity import Severity

if TYPE_CHECKING:
    from sigma.correlations import SigmaCorrelationRule
    from sigma.rule import SigmaRule

__all__ = ["Imported", "import_sigma"]

ADDRESS, ACCOUNT, SYSTEM = "access.ip_1m", "access.account_5m", "access.asn_1m"
GROUPED = {
    "c-ip": ADDRESS,
    "src_ip": ADDRESS,
    "source.ip": ADDRESS,
    "user": ACCOUNT,
    "username": ACCOUNT,
    "user.name": ACCOUNT,
    "targetusername": ACCOUNT,
    "source.as.number": SYSTEM,
}
STATUS = {"sc-status", "status", "http.response.status_code"}
OUTCOME = {"event.outcome", "outcome", "action", "result"}
URI = {"c-uri", "cs-uri", "cs-uri-query", "cs-uri-stem", "url.original", "url.query"}
BY_STATUS: Mapping[frozenset[str], tuple[str, str]] = {
    frozenset(statuses): (feature, operator)
    for statuses, feature, operator in (
        (["401"], "unauthorized_share", ">"),
        (["403"], "forbidden_share", ">"),
        (["404"], "not_found_share", ">"),
        (["429"], "throttled_share", ">"),
        (["5*"], "server_error_share", ">"),
        (["4*", "5*"], "errors", ">="),
    )
}
FAILED = {"failure", "failed", "fail", "denied"}
FAILED_WORDS = {"failed password", "authentication failure", "failed login", "invalid user"}
COUNTS = {"login_failures", "errors", "odd_requests"}


class _RefusedError(ValueError):
    """Why a rule does not map."""


@dataclass
class Imported:
    """What Sigma rules became.

    Parameters
    ----------
    pack : Pack
        The rules that map.
    refused : dict of str to str
        By title why a rule does not.
    wider : dict of str to str
        By title how a rule that maps matches more than the original.
    """

    pack: Pack
    refused: dict[str, str] = field(default_factory=dict)
    wider: dict[str, str] = field(default_factory=dict)


def import_sigma(text: str) -> Imported:
    """Rules of Sigma as a pack of ours.

    Parameters
    ----------
    text : str
        YAML, one rule or correlation a document.

    Raises
    ------
    ValueError
        The text is not YAML.
    """
    import yaml
    from sigma.collection import SigmaCollection
    from sigma.correlations import SigmaCorrelationRule
    from sigma.exceptions import SigmaError

    done = Imported(Pack(pack="sigma", about="Imported from Sigma."))
    try:
        documents = [one for one in yaml.safe_load_all(text) if isinstance(one, dict)]
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())}") from error
    ladders: list[dict[str, Any]] = []
    correlations: list[dict[str, Any]] = []
    known: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    try:
        rules = SigmaCollection.from_dicts(documents, collect_errors=True).rules
    except SigmaError as error:
        raise ValueError(f"not Sigma: {error}") from error
    for rule in sorted(rules, key=lambda rule: isinstance(rule, SigmaCorrelationRule)):
        try:
            if rule.errors:
                raise _RefusedError(f"not valid: {rule.errors[0]}")
            if rule.title in seen:
                raise _RefusedError("another rule has this title")
            seen.add(rule.title)
            if isinstance(rule, SigmaCorrelationRule):
                _correlation(rule, known, ladders, correlations, done.wider)
                continue
            ladder = _ladder(rule, done.wider)
            ladders.append(ladder)
            known |= {str(name): ladder for name in (rule.name, rule.id) if name}
        except _RefusedError as error:
            done.refused[rule.title] = str(error)
    made = {"ladders": ladders, "correlations": correlations}
    done.pack = Pack.model_validate({"pack": "sigma", "about": done.pack.about, **made})
    return done


def _ladder(rule: SigmaRule, wider: dict[str, str]) -> dict[str, Any]:
    source = rule.logsource
    web = source.category == "webserver"
    login = source.category == "authentication" or source.service in ("sshd", "auth")
    if not web and not login:
        raise _RefusedError(
            f"log source {source.category or source.product}/{source.service or '-'}; "
            "expected webserver, authentication, sshd or auth"
        )
    if len(rule.detection.parsed_condition) != 1:
        raise _RefusedError("several conditions; expected one")
    fields, values = _leaves(rule.detection.parsed_condition[0].parsed)
    feature, operator = _feature(rule.title, fields, values, web, wider)
    view, limit = ADDRESS if web else ACCOUNT, 0 if operator == ">" else 1
    return _as_ladder(rule, view, feature, operator, limit)


def _leaves(condition: Any) -> tuple[set[str], set[str]]:
    """Fields and values of a condition that is any of several values of one field."""
    from sigma.conditions import (
        ConditionFieldEqualsValueExpression,
        ConditionOR,
        ConditionValueExpression,
    )

    if isinstance(condition, ConditionFieldEqualsValueExpression):
        return {condition.field.lower()}, {str(condition.value).lower()}
    if isinstance(condition, ConditionValueExpression):
        return {""}, {str(condition.value).lower()}
    if isinstance(condition, ConditionOR):
        parts = [_leaves(part) for part in condition.args]
        fields, values = (set[str]().union(*part) for part in zip(*parts, strict=True))
        return fields, values
    kind = type(condition).__name__.removeprefix("Condition")
    raise _RefusedError(f"condition has {kind}; no feature counts events by several properties")


def _feature(
    title: str, fields: set[str], values: set[str], web: bool, wider: dict[str, str]
) -> tuple[str, str]:
    told = ", ".join(sorted(values))
    if fields <= STATUS and web:
        if (found := BY_STATUS.get(frozenset(values))) is None:
            raise _RefusedError(f"no feature counts the statuses {told} and no others")
        return found
    if fields <= URI and web:
        if not all(re.search(ODD, value) for value in values):
            raise _RefusedError("no feature counts requests by what their path holds")
        wider[title] = "any character that no link holds counts, not only these"
        return "odd_requests", ">="
    if fields <= OUTCOME and not web:
        if not values <= FAILED:
            raise _RefusedError(f"no feature counts logins that end in {told} alone")
        return "login_failures", ">="
    if fields == {""} and not web and {v.strip("*") for v in values} <= FAILED_WORDS:
        wider[title] = "any failed login counts, whatever words the log has for it"
        return "login_failures", ">="
    raise _RefusedError(f"no feature counts events by {', '.join(fields) or 'keywords'}")


def _correlation(
    rule: SigmaCorrelationRule,
    known: Mapping[str, dict[str, Any]],
    ladders: list[dict[str, Any]],
    correlations: list[dict[str, Any]],
    wider: dict[str, str],
) -> None:
    bases = [known.get(str(one.reference)) for one in rule.rules or []]
    if None in bases:
        raise _RefusedError("a rule it names does not map")
    used = [base for base in bases if base is not None]
    kind = str(rule.type.name).lower()
    views = {GROUPED.get(name.lower()) for name in rule.group_by or []}
    if len(views) != 1 or None in views:
        raise _RefusedError(f"grouped by {rule.group_by}; expected one of {', '.join(GROUPED)}")
    view = str(views.pop())
    time = timedelta(seconds=rule.timespan.seconds)
    if kind in ("temporal", "temporal_ordered"):
        if {base["view"] for base in used} != {view}:
            raise _RefusedError(f"its rules are not of {view}, by which it groups")
        case = [{"at": f"{1 + n}s", "rule": _id(base)} for n, base in enumerate(used)]
        correlations.append(
            _effect(rule)
            | {
                "title": rule.title,
                "kind": "all" if kind == "temporal" else "ordered",
                "rules": [_id(base) for base in used],
                "within": f"{int(time.total_seconds())}s",
                "summary": f"{{entity}}: {rule.title}",
                "hit": [case],
                "miss": [case[:1]],
            }
        )
    elif kind in ("event_count", "value_count"):
        if time != VIEWS[view].every:
            minutes = VIEWS[view].every.total_seconds() / 60
            raise _RefusedError(f"counts over {time}; windows of {view} are {minutes:.0f} min")
        ladders.append(_counted(rule, used, view, kind, wider))
    else:
        raise _RefusedError(f"correlation is {kind}; expected a count or a temporal one")
    if not rule.generate:
        for base in used:
            base["silent"] = True


def _counted(
    rule: SigmaCorrelationRule,
    bases: list[dict[str, Any]],
    view: str,
    kind: str,
    wider: dict[str, str],
) -> dict[str, Any]:
    feature = bases[0]["feature"]
    condition: Any = rule.condition
    operator = {"GTE": ">=", "GT": ">"}.get(condition.op.name)
    if len(bases) > 1 or feature not in COUNTS or operator is None:
        raise _RefusedError("only one counted rule, at or above a number, maps")
    if kind == "value_count":
        counted = str(condition.fieldref).lower()
        if GROUPED.get(counted) != ACCOUNT or view == ACCOUNT or feature != "login_failures":
            raise _RefusedError(f"no feature counts different {counted} of such events")
        wider[rule.title] = "accounts of logins that succeed count too"
        feature = "accounts_tried"
    return _as_ladder(rule, view, feature, operator, condition.count)


def _as_ladder(
    rule: SigmaRule | SigmaCorrelationRule, view: str, feature: str, operator: str, limit: float
) -> dict[str, Any]:
    effect = _effect(rule)
    return {
        "family": effect["id"].removesuffix(".seen"),
        "title": rule.title,
        "view": view,
        "feature": feature,
        "operator": operator,
        "summary": f"{{entity}}: {_plain(rule.title)} ({feature} {{value:g}})",
        "rungs": [
            effect
            | {
                "limit": limit,
                "hit": [[{feature: limit + 1}]],
                "miss": [[{feature: limit - (operator == ">=")}]],
            }
        ],
    }


def _effect(rule: SigmaRule | SigmaCorrelationRule) -> dict[str, Any]:
    slug = re.sub(r"[^a-z0-9]+", "_", rule.title.lower()).strip("_")[:60]
    attack = [tag.name.upper() for tag in rule.tags if tag.namespace == "attack"]
    techniques = ",".join(name for name in attack if re.match(r"T\d", name))
    level = rule.level.name.lower() if rule.level else "medium"
    return {
        "id": f"sigma.{slug}.seen",
        "severity": Severity.of(level).value,
        "runbook": _plain(rule.description or "")[:500],
        "labels": {"team": "security"} | ({"attack": techniques} if techniques else {}),
    }


def _plain(text: str) -> str:
    """A text in which no brace means anything."""
    return text.replace("{", "(").replace("}", ")")


def _id(ladder: Mapping[str, Any]) -> str:
    return str(ladder["rungs"][0]["id"])
