"""Sigma rules: what maps becomes ladders and correlations, what does not is named with why."""

from __future__ import annotations

import pytest

from serving.rules.cases import failures
from serving.rules.sigma import Imported, import_sigma

RULE = """
title: {title}
name: {name}
level: {level}
logsource: {source}
tags: [attack.initial-access, attack.t1190]
detection: {{selection: {selection}, condition: selection}}
"""
WEB, LOGIN = "{category: webserver}", "{category: authentication}"
FAILED = "{event.outcome: failure}"


def _rule(selection: str, source: str = WEB, *, name: str = "base", level: str = "high") -> str:
    return RULE.format(
        title=name.capitalize(), name=name, level=level, source=source, selection=selection
    )


def _count(timespan: str, condition: str, by: str = "user", kind: str = "event_count") -> str:
    return (
        _rule(FAILED, LOGIN)
        + f"""
---
title: Many
level: critical
correlation:
  type: {kind}
  rules: [base]
  group-by: [{by}]
  timespan: {timespan}
  condition: {condition}
"""
    )


def _limits(done: Imported) -> list[tuple[str, str, str, float, bool]]:
    return [
        (made.view, made.feature, made.operator, made.rungs[0].limit, made.silent)
        for made in done.pack.ladders
    ]


@pytest.mark.parametrize(
    ("selection", "source", "view", "feature", "operator", "limit"),
    [
        ("{sc-status: 404}", WEB, "access.ip_1m", "not_found_share", ">", 0),
        ("{sc-status: 401}", WEB, "access.ip_1m", "unauthorized_share", ">", 0),
        ("{sc-status|startswith: '5'}", WEB, "access.ip_1m", "server_error_share", ">", 0),
        ("{sc-status: ['4*', '5*']}", WEB, "access.ip_1m", "errors", ">=", 1),
        ("{c-uri|contains: ['<script', '\"x']}", WEB, "access.ip_1m", "odd_requests", ">=", 1),
        (FAILED, LOGIN, "access.account_5m", "login_failures", ">=", 1),
        ("['Failed password']", "{product: linux, service: sshd}", "access.account_5m",
         "login_failures", ">=", 1),
    ],
)  # fmt: skip
def test_a_rule_maps_where_a_feature_counts_its_events(
    selection: str, source: str, view: str, feature: str, operator: str, limit: float
) -> None:
    done = import_sigma(_rule(selection, source))
    assert done.refused == {}
    assert _limits(done) == [(view, feature, operator, limit, False)]
    (made,) = done.pack.ladders
    assert made.rungs[0].severity == "high"
    assert made.rungs[0].labels == {"team": "security", "attack": "T1190"}
    assert list(failures([done.pack])) == []


def test_what_maps_but_matches_more_says_so() -> None:
    done = import_sigma(_rule("{cs-uri-query|contains: '<script'}"))
    assert done.wider == {"Base": "any character that no link holds counts, not only these"}


@pytest.mark.parametrize(
    ("selection", "source", "why"),
    [
        ("{sc-status: 500}", WEB, "no feature counts the statuses 500 and no others"),
        ("{cs-uri-stem|endswith: /admin}", WEB, "no feature counts requests by what their path"),
        ("{cs-user-agent: curl}", WEB, "no feature counts events by cs-user-agent"),
        ("{sc-status: 404, cs-method: POST}", WEB, "condition has AND; no feature counts events"),
        ("{event.outcome: success}", LOGIN, "no feature counts logins that end in success alone"),
        ("{Image: x}", "{category: process_creation, product: windows}", "log source process_cr"),
    ],
)
def test_what_does_not_map_is_refused_with_why(selection: str, source: str, why: str) -> None:
    done = import_sigma(_rule(selection, source))
    assert done.pack.ladders == []
    assert why in done.refused["Base"]


def test_a_count_over_the_time_of_a_window_becomes_its_limit_and_its_base_falls_silent() -> None:
    done = import_sigma(_count("5m", "{gte: 10}"))
    assert done.refused == {}
    view, feature = "access.account_5m", "login_failures"
    assert _limits(done) == [(view, feature, ">=", 1, True), (view, feature, ">=", 10, False)]
    assert list(failures([done.pack])) == []


def test_a_count_of_accounts_by_address_is_a_feature_too() -> None:
    done = import_sigma(_count("1m", "{gt: 20, field: user}", "c-ip", "value_count"))
    assert _limits(done)[1] == ("access.ip_1m", "accounts_tried", ">", 20, False)
    assert done.wider == {"Many": "accounts of logins that succeed count too"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (_count("1h", "{gte: 10}"), "counts over 1:00:00; windows of access.account_5m are 5 min"),
        (_count("5m", "{lt: 10}"), "only one counted rule, at or above a number, maps"),
        (_count("5m", "{gte: 10}", "device"), "grouped by ['device']; expected one of c-ip"),
        (
            _count("1m", "{gte: 9, field: device}", "c-ip", "value_count"),
            "no feature counts different device of such events",
        ),
    ],
)
def test_a_count_that_does_not_map_is_refused_with_why(text: str, why: str) -> None:
    assert why in import_sigma(text).refused["Many"]


def test_an_order_of_rules_becomes_a_correlation() -> None:
    text = "---".join(
        [
            _rule("{sc-status: 404}", name="scan"),
            _rule("{sc-status: '5*'}", name="crash"),
            "\ntitle: Scan then crash\nlevel: high\ncorrelation: {type: temporal_ordered, "
            "rules: [scan, crash], group-by: [c-ip], timespan: 15m}\n",
        ]
    )
    done = import_sigma(text)
    (made,) = done.pack.correlations
    assert (made.kind, made.within.total_seconds()) == ("ordered", 900)
    assert made.rules == ["sigma.scan.seen", "sigma.crash.seen"]
    assert all(one.silent for one in done.pack.ladders)
    assert list(failures([done.pack])) == []


def test_a_correlation_of_what_does_not_map_does_not_map() -> None:
    text = _count("5m", "{gte: 10}").replace(FAILED, "{event.outcome: success}")
    assert import_sigma(text).refused["Many"] == "a rule it names does not map"


def test_a_rule_that_is_not_valid_is_refused_and_the_others_are_read() -> None:
    text = "title: Broken\nlogsource: {category: webserver}\ndetection: {}\n---" + _rule(
        FAILED, LOGIN
    )
    done = import_sigma(text)
    assert list(done.refused) == ["Broken"]
    assert len(done.pack.ladders) == 1


@pytest.mark.parametrize("text", ["a: [", "{'"])
def test_what_is_no_yaml_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not YAML"):
        import_sigma(text)
