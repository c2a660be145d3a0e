"""What the server checks in a request's headers before Streamlit sees it, and adds to those of every answer.

Two small ASGI middlewares for `st.App`. Streamlit itself checks where a websocket comes from, but answers to any host
name unless told otherwise, and asks the internet for its own address when a stranger calls; see `KnownCallers`.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

from core.record import short
from lab.server.uploads import BoundedUploads

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING = ("GET", "HEAD", "OPTIONS")  # methods that change nothing

# Streamlit's page has one inline script, and it and plotly write styles; components bring their script as a blob.
# Nothing is loaded from another site, sent to one or shown inside one.
PAGE_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self'",
        "frame-ancestors 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
# What pages hand out, such as a report: opened in the browser it is shown, and can do nothing.
MEDIA_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",  # for browsers that do not know frame-ancestors
    "Referrer-Policy": "same-origin",  # a run's address is its key: no site that we link to is told it
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=(), serial=()",
}

log = logging.getLogger("lab.server.headers")


class SafeAnswers:
    """Adds to each answer what a browser should not do with it, unless the answer says so itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        policy = MEDIA_POLICY if "/media/" in scope["path"] else PAGE_POLICY

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", policy)
            await send(message)

        await self.app(scope, receive, send_safely)


class KnownCallers:
    """Refuses requests to a name that is not this server's, and requests from another site's page.

    The first is how a site on the internet reaches a server that listens on loopback: its name comes to stand for
    127.0.0.1 (DNS rebinding). The second could start runs in the name of anybody who visits that site.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        allowed = st.get_option("server.allowedHosts")
        if not is_own_name(host, allowed, st.get_option("server.address")):
            log.warning("refused a request for the host %s", short(host))
            text = f"This lab does not answer to the name {short(host)}. server.allowedHosts says to which it does.\n"
            await _refuse(scope, receive, send, 421, text)
            return
        changes = scope["type"] == "websocket" or scope["method"] not in READING
        if changes and origin is not None and not is_own_page(origin, host, _other_origins()):
            log.warning("refused a request for %s from a page of %s", short(host), short(origin))
            await _refuse(scope, receive, send, 403, "This lab is not used from another site's pages.\n")
            return
        await self.app(scope, receive, send)


def is_own_name(host: str, allowed: Collection[str], address: str | None) -> bool:
    """Whether a request's Host header names this server. `allowed`: server.allowedHosts, with *.example.org for many.

    A page that was fetched from localhost comes from this machine, and no site on the internet can make a number its
    own name. So without any allowed names, a server that listens on loopback answers to localhost and to numbers, and
    one that listens elsewhere to all names; with some, to these and to loopback.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if _is_loopback(name):
        return True
    if not allowed:
        return _is_number(name) or not _is_loopback(address or "")
    patterns = [pattern.strip().lower().rstrip(".") for pattern in allowed]
    return any(
        pattern in ("*", name) or (pattern.startswith("*.") and name.endswith(pattern[1:])) for pattern in patterns
    )


def is_own_page(origin: str, host: str, others: Collection[str]) -> bool:
    """Whether a request's Origin header is of the host it asks, or one of the others, such as https://example.org."""
    return origin in others or "*" in others or urlsplit(origin).netloc == host


def _other_origins() -> Collection[str]:
    if not st.get_option("server.enableCORS"):  # the check is switched off
        return ("*",)
    return tuple(origin.strip().rstrip("/") for origin in st.get_option("server.corsAllowedOrigins"))


def _is_loopback(name: str) -> bool:
    return name.split(".")[-1] == "localhost" or (_is_number(name) and ipaddress.ip_address(name).is_loopback)


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose(code=1008)(scope, receive, send)  # before it was accepted: the server answers 403
        return
    await PlainTextResponse(text, status)(scope, receive, send)


def middleware() -> list[Middleware]:
    """For `st.App`, the outermost first."""
    return [Middleware(SafeAnswers), Middleware(KnownCallers), Middleware(BoundedUploads)]
