"""Under which addresses others in the network can open the lab."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit


def is_own_machine(address: str) -> bool:
    """Whether a URL names the machine that the browser is on, which no other machine can open."""
    host = urlsplit(address).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def reachable(address: str) -> list[str]:
    """The same URL with each IPv4 address of this machine, the one of the way out first."""
    parts = urlsplit(address)
    port = f":{parts.port}" if parts.port else ""
    return [urlunsplit(parts._replace(netloc=f"{host}{port}")) for host in _own_addresses()]


def _own_addresses() -> list[str]:
    found: list[str] = []
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # of the documentation's network (RFC 5737): nothing is sent
        found.append(probe.getsockname()[0])
    with suppress(OSError):
        found += socket.gethostbyname_ex(socket.gethostname())[2]
    return [host for host in dict.fromkeys(found) if not ipaddress.ip_address(host).is_loopback]
