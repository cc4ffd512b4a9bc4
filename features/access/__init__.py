"""Access: who asks, logs in and acts, by address, network, system, account and API key."""

from __future__ import annotations

from datetime import timedelta

from features.access import identity, logins, requests
from features.access.stream import ACCESS
from features.view import FeatureView, collect

__all__ = ["ACCESS", "ACCOUNT_5M", "ASN_1M", "IP_1M", "KEY_1M", "SUBNET_1M"]

SHARED = collect(requests.__name__) + collect(logins.__name__)
OWN = SHARED + collect(identity.__name__)
MINUTE = timedelta(minutes=1)

# Visitors come and go: that an address is silent says nothing, and minutes without it are not
# measured. Those of accounts and keys are.
GONE = timedelta(0)

IP_1M = FeatureView("access.ip_1m", ACCESS, ("ip",), MINUTE, SHARED, forget_after=GONE)
SUBNET_1M = FeatureView("access.subnet_1m", ACCESS, ("subnet",), MINUTE, SHARED, forget_after=GONE)
ASN_1M = FeatureView("access.asn_1m", ACCESS, ("asn",), MINUTE, SHARED, forget_after=GONE)
ACCOUNT_5M = FeatureView(
    "access.account_5m",
    ACCESS,
    ("account",),
    5 * MINUTE,
    OWN,
    recent=5 * MINUTE,
    remember=identity.REMEMBERS,
)
KEY_1M = FeatureView("access.key_1m", ACCESS, ("key",), MINUTE, OWN, remember=identity.REMEMBERS)
