"""Whose browser it is: an unguessable token in a cookie that no script can read, sent with the page by a middleware."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from http.cookies import CookieError, SimpleCookie

import streamlit as st
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.runs.person import Person
from lab.ui.caches import class_lock
from lab.ui.nickname import nickname

COOKIE = "lab_owner"
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 random bits
YEAR_SECONDS = 365 * 24 * 3600
SESSION = "owner_token"


class OwnerCookie:
    """ASGI middleware: gives a browser that comes without a token one, with the answer to the page itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on; adds the cookie to answers with HTML."""
        if scope["type"] != "http" or _token_in(scope):
            await self.app(scope, receive, send)
            return

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(message, scope):
                secure = "; Secure" if _is_https(scope) else ""
                value = f"{COOKIE}={secrets.token_urlsafe(32)}; Path=/; Max-Age={YEAR_SECONDS}; HttpOnly; SameSite=Lax"
                others = [each for each in message.get("headers", ()) if each[0].lower() != b"cache-control"]
                mine = [(b"set-cookie", (value + secure).encode()), (b"cache-control", b"private, no-store")]
                message["headers"] = others + mine  # a proxy that kept it would give many browsers one token
            await send(message)

        await self.app(scope, receive, with_cookie)


def _is_page(message: Message, scope: Scope) -> bool:
    """Whether the answer is a page; one that the browser has kept from before is answered without its type."""
    if message["status"] == 304:
        return b"text/html" in dict(_headers(scope)).get(b"accept", b"")
    kind: bytes = dict(message.get("headers", ())).get(b"content-type", b"")
    return message["status"] == 200 and kind.startswith(b"text/html")


def _is_https(scope: Scope) -> bool:
    return scope.get("scheme") == "https" or b"https" in dict(_headers(scope)).get(b"x-forwarded-proto", b"")


def _token_in(scope: Scope) -> str:
    for name, value in _headers(scope):
        if name == b"cookie":
            try:
                morsel = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                continue
            if morsel is not None and TOKEN.fullmatch(morsel.value):
                return morsel.value
    return ""


def _headers(scope: Scope) -> Iterator[tuple[bytes, bytes]]:
    yield from scope.get("headers", ())


def me() -> Person:
    """Who looks at this page. In a browser that keeps no cookies, only for as long as the page is open."""
    token = str(st.context.cookies.get(COOKIE, ""))
    if not TOKEN.fullmatch(token):
        token = st.session_state.setdefault(SESSION, secrets.token_urlsafe(32))
    key = hashlib.sha256(token.encode()).hexdigest()
    return Person(key, nickname(), class_lock().is_teacher(key))
