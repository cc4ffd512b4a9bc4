"""Samples of machines: hosts, their disks and networks, services and databases, by the minute."""

from __future__ import annotations

from features.system.database import DATABASE, DATABASE_1M
from features.system.disk import DISK, DISK_1M
from features.system.host import HOST, HOST_1M
from features.system.network import NETWORK, NETWORK_1M
from features.system.service import SERVICE, SERVICE_1M

__all__ = [
    "DATABASE",
    "DATABASE_1M",
    "DISK",
    "DISK_1M",
    "HOST",
    "HOST_1M",
    "NETWORK",
    "NETWORK_1M",
    "SERVICE",
    "SERVICE_1M",
]
