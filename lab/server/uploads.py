"""How many bytes of uploaded files the server keeps: for each session and for all, not only for each file.

Streamlit keeps uploads in memory until their session ends, also those that no page has asked for; it bounds the size
of each file, and not their number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from streamlit.runtime import Runtime, exists
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

MEGABYTE = 1024 * 1024
A_SESSION, ALL = 96 * MEGABYTE, 1024 * MEGABYTE
UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+/?$")


class BoundedUploads:
    """ASGI middleware: refuses a file that would be too much beside those that are kept or under way."""

    def __init__(self, app: ASGIApp, a_session: int = A_SESSION, of_all: int = ALL) -> None:
        self.app, self.a_session, self.of_all = app, a_session, of_all
        self._under_way: dict[str, int] = {}  # bytes, by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on everything but too large uploads, which are answered with 413."""
        upload = UPLOAD.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if upload is None:
            await self.app(scope, receive, send)
            return
        session, size = upload[1], size_of(Headers(scope=scope).get("content-length"))
        mine = kept(session) + self._under_way.get(session, 0) + size
        every = kept() + sum(self._under_way.values()) + size
        if mine > self.a_session or every > self.of_all:
            whose, most = ("one page", self.a_session) if mine > self.a_session else ("all", self.of_all)
            text = f"The uploads of {whose} may have {most // MEGABYTE} MB together. Reload the page, then try again.\n"
            await PlainTextResponse(text, 413)(scope, receive, send)
            return
        self._under_way[session] = self._under_way.get(session, 0) + size
        try:
            await self.app(scope, receive, send)
        finally:
            self._under_way[session] -= size
            if not self._under_way[session]:
                del self._under_way[session]


def size_of(content_length: str | None) -> int:
    """Bytes of an upload; one that does not say how long it is counts as the longest that Streamlit takes."""
    if content_length is not None and content_length.isdecimal():
        return int(content_length)
    return int(st.get_option("server.maxUploadSize")) * MEGABYTE


def kept(session: str | None = None) -> int:
    """Bytes that the server keeps of a session's uploads, or of all."""
    files = Runtime.instance().uploaded_file_mgr if exists() else None
    if not isinstance(files, MemoryUploadedFileManager):
        return 0
    of = list(files.file_storage.items())
    return sum(len(file.data) for whose, each in of if session in (None, whose) for file in list(each.values()))
