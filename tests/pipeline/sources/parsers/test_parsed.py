"""What an address and a path say by themselves."""

from __future__ import annotations

import ipaddress

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.parsers.parsed import with_parts


def parts(ip: str | None, path: str | None) -> dict[str, object]:
    frame = pl.DataFrame({"ip": [ip], "path": [path]}, schema={"ip": pl.String, "path": pl.String})
    return with_parts(frame).row(0, named=True)


@pytest.mark.parametrize(
    ("path", "endpoint", "number", "odd"),
    [
        ("/users/17/orders/42?page=3", "/users/*/orders/*", 3.0, 0),
        ("/o/3fa85f64-5717-4562-b3fc-2c963f66afa6", "/o/*", 6.0, 0),
        ("/address/0xDEADbeef01/tx", "/address/*/tx", 1.0, 0),
        ("/", "/", None, 0),
        ("/a?q=%27%20or%201=1", "/a", 1.0, 1),
        ("/../../etc/passwd", "/../../etc/passwd", None, 2),
        ('/a"><script>', '/a"><script>', None, 4),
        (r"\x16\x03\x01", r"\x*\x*\x*", 1.0, 3),
        (None, None, None, None),
    ],
)
def test_a_path_has_an_endpoint_an_object_and_odd_characters(
    path: str | None, endpoint: str | None, number: float | None, odd: int | None
) -> None:
    found = parts("1.2.3.4", path)
    assert (found["endpoint"], found["object"], found["odd"]) == (endpoint, number, odd)


@pytest.mark.parametrize(
    ("ip", "subnet"),
    [
        ("192.168.4.25", "192.168.4.0/24"),
        ("::ffff:10.1.2.3", "10.1.2.0/24"),
        ("2001:db8::1", "2001:db8:0::/48"),
        ("2001:DB8:0001:2:3:4:5:6", "2001:db8:1::/48"),
        ("::1", "0:0:0::/48"),
        ("crawl.example.org", None),
        (None, None),
    ],
)
def test_an_address_has_a_network(ip: str | None, subnet: str | None) -> None:
    assert parts(ip, "/")["subnet"] == subnet


@given(st.ip_addresses(v=6))
@settings(max_examples=50)
def test_an_ipv6_address_lies_in_its_network(ip: ipaddress.IPv6Address) -> None:
    if ip.ipv4_mapped is None:
        subnet = str(parts(str(ip), "/")["subnet"])
        assert ip in ipaddress.ip_network(subnet)
        assert parts(ip.exploded, "/")["subnet"] == subnet


def test_what_is_told_is_kept() -> None:
    frame = pl.DataFrame({"ip": ["1.2.3.4"], "path": ["/a/1"], "endpoint": ["mine"], "odd": [7]})
    found = with_parts(frame).row(0, named=True)
    assert (found["endpoint"], found["odd"], found["subnet"]) == ("mine", 7, "1.2.3.0/24")
