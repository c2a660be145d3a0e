"""Who looks at this page, by the browser's cookie."""

from __future__ import annotations

import hashlib
import secrets

import streamlit as st

from lab.runs.person import Person
from lab.server.cookie import COOKIE, TOKEN
from lab.ui.caches import class_lock
from lab.ui.nickname import nickname

SESSION = "owner_token"


def me() -> Person:
    """Who looks at this page. In a browser that keeps no cookies, only for as long as the page is open."""
    token = str(st.context.cookies.get(COOKIE, ""))
    if not TOKEN.fullmatch(token):
        token = st.session_state.setdefault(SESSION, secrets.token_urlsafe(32))
    key = hashlib.sha256(token.encode()).hexdigest()
    return Person(key, nickname(), class_lock().is_teacher(key))
