"""How many connections the server keeps open, for each address and in all, and for how long one may say nothing.

Each open connection takes a file descriptor, and a process has a bounded number of them. Without a bound of our own,
somebody who opens a thousand connections and says nothing keeps everybody else out. uvicorn bounds requests, not
connections, and waits for a request's head without a limit of time; so the bounds are put around the protocols that
it makes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

SPARE = 256  # descriptors for the store, the data, pictures, workers' pipes
WANTED_FILES = 65_536
MOST, LEAST = 16_384, 64  # connections in all
SHARE = 4  # an address may have a quarter of them
SILENT_SECONDS = 10.0  # from the connection to a request's head
PROXIES = ("127.0.0.1", "::1")  # a proxy in front brings everybody's connections, and bounds them itself

log = logging.getLogger("lab.server.connections")


class Bounds:
    """Which connections are open. It lives in the event loop's thread."""

    def __init__(self, most: int, each: int, silent_seconds: float = SILENT_SECONDS) -> None:
        self.most, self.each, self.silent_seconds = most, each, silent_seconds
        self._open: dict[str, set[asyncio.Transport]] = {}
        self._new: dict[
            asyncio.Transport, tuple[str, Any]
        ] = {}  # from where, and their first protocol; the oldest first

    def around(self, made: Callable[[], Any]) -> Callable[[], Any]:
        """A protocol factory like `made`, whose protocols are bounded."""

        def bounded() -> Any:
            protocol = made()
            protocol.connection_made = partial(self._connected, protocol, protocol.connection_made)
            return protocol

        return bounded

    def _connected(
        self, protocol: Any, greet: Callable[[asyncio.Transport], None], transport: asyncio.Transport
    ) -> None:
        del protocol.connection_made  # once is enough
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        if not self._has_room(address):
            log.warning("refused a connection: there are %d in all, %d for one address", self.most, self.each)
            transport.set_protocol(asyncio.Protocol())
            transport.abort()
            return
        self._open.setdefault(address, set()).add(transport)
        self._new[transport] = address, protocol
        asyncio.get_running_loop().call_later(self.silent_seconds, self._grown, transport)
        greet(transport)

    def _has_room(self, address: str) -> bool:
        """Whether one more may come; a silent one, the oldest, gives way."""
        if address not in PROXIES and self._count(address) >= self.each:
            return self._end_a_silent_one(address)
        if sum(map(len, self._open.values())) < self.most:
            return True
        self._open = {each: left for each in self._open if (left := self._living(each))}
        return sum(map(len, self._open.values())) < self.most or self._end_a_silent_one()

    def _count(self, address: str) -> int:
        if len(self._open.get(address, ())) >= self.each:
            self._open[address] = self._living(address)
        return len(self._open.get(address, ()))

    def _living(self, address: str) -> set[asyncio.Transport]:
        return {transport for transport in self._open[address] if not transport.is_closing()}

    def _end_a_silent_one(self, address: str = "") -> bool:
        for transport, (whose, _) in self._new.items():
            if address in ("", whose) and self._is_silent(transport):
                transport.abort()
                self._open[whose].discard(transport)
                return True
        return False

    def _grown(self, transport: asyncio.Transport) -> None:
        """Its time to say something is over."""
        if self._is_silent(transport):
            transport.abort()
        del self._new[transport]

    def _is_silent(self, transport: asyncio.Transport) -> bool:
        """Whether it is open and no request's head has come: that begins a cycle, or another protocol."""
        _, first = self._new[transport]
        return not transport.is_closing() and first.cycle is None and transport.get_protocol() is first


def bound(loop: asyncio.AbstractEventLoop) -> None:
    """Bound the connections of every server that this loop makes from now on."""
    most = min(MOST, max(LEAST, _files() - SPARE))
    bounds = Bounds(most, max(LEAST, most // SHARE))
    make = loop.create_server

    def create_server(protocol_factory: Callable[[], Any], *places: Any, **options: Any) -> Any:
        return make(bounds.around(protocol_factory), *places, **options)

    try:
        loop.create_server = create_server  # type: ignore[method-assign]
    except AttributeError:  # a loop in C
        log.warning("this event loop cannot be bounded: connections are as many as the system allows")


def _files() -> int:
    """How many descriptors this process may have, after it has asked for more."""
    try:
        import resource
    except ImportError:  # Windows, where it is no limit of the process
        return WANTED_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    if soft < wanted:
        with suppress(OSError, ValueError):  # macOS refuses more than its own bound
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
