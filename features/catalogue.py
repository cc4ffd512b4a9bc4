"""Every stream and view there is, by name."""

from __future__ import annotations

from features import (
    access,
    accounts,
    calls,
    contracts,
    market_data,
    orders,
    rings,
    senders,
    system,
    trading,
)
from features.stream import Stream
from features.view import FeatureView

__all__ = ["STREAMS", "VIEWS", "view"]

_VIEWS = (
    trading.SYMBOL_5S,
    trading.SYMBOL_1M,
    rings.SYMBOL_5M,
    orders.ACCOUNT_SYMBOL_5S,
    orders.ACCOUNT_SYMBOL_1M,
    orders.SYMBOL_1M,
    market_data.SYMBOL_VENUE_5S,
    market_data.SYMBOL_VENUE_1M,
    system.HOST_1M,
    system.DISK_1M,
    system.SERVICE_1M,
    system.DATABASE_1M,
    system.NETWORK_1M,
    access.IP_1M,
    access.SUBNET_1M,
    access.ASN_1M,
    access.ACCOUNT_5M,
    access.KEY_1M,
    contracts.ADDRESS_12S,
    contracts.ADDRESS_1M,
    senders.SENDER_1M,
    senders.FUNCTION_1M,
    accounts.ACCOUNT_1D,
    calls.TRANSACTION_1S,
)

VIEWS: dict[str, FeatureView] = {v.name: v for v in _VIEWS}
STREAMS: dict[str, Stream] = {v.stream.name: v.stream for v in _VIEWS}


def view(name: str) -> FeatureView:
    """The view of that name.

    Raises
    ------
    KeyError
        With the names there are, when there is no such view.
    """
    if name not in VIEWS:
        raise KeyError(f"no view {name!r}; expected one of {', '.join(VIEWS)}")
    return VIEWS[name]
