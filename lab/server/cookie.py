"""The cookie by which a browser is known again: an unguessable token that no script can read, sent with the page."""

from __future__ import annotations

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "lab_owner"
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 random bits
YEAR_SECONDS = 365 * 24 * 3600


class OwnerCookie:
    """ASGI middleware: gives a browser without a token one, in the answer that is the page itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on; adds the cookie to answers with HTML."""
        if scope["type"] != "http" or TOKEN.fullmatch(Request(scope).cookies.get(COOKIE, "")):
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        https = scope.get("scheme") == "https" or "https" in asked.get("x-forwarded-proto", "")

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(message, asked):
                answer = Response()
                answer.set_cookie(COOKIE, secrets.token_urlsafe(32), YEAR_SECONDS, httponly=True, secure=https)
                headers = MutableHeaders(scope=message)
                headers.append("set-cookie", answer.headers["set-cookie"])
                headers["cache-control"] = "private, no-store"  # a proxy must not give many browsers one token
            await send(message)

        await self.app(scope, receive, with_cookie)


def _is_page(message: Message, asked: Headers) -> bool:
    """Whether the answer is a page; a page that the browser has kept is answered with 304 and no type."""
    if message["status"] == 304:
        return "text/html" in asked.get("accept", "")
    return message["status"] == 200 and Headers(scope=message).get("content-type", "").startswith("text/html")
