"""Following the teacher, as the browser sees it: the line under the menu, joining, moving, leaving.

?follow=1 joins at once. `leading.PAGES` lists what is shared of a page. It is shared when a page has been drawn:
only then do its widgets have their values. A follower is moved in two steps, because what goes into the URL may not
be touched while a widget of the page that is left is bound to it: first to the page, then its parameters are set.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.scriptrunner import StopException, get_script_run_ctx

from core.errors import ClassError, SettingsError
from lab.classroom.leading import PAGES, Place, place_of
from lab.settings import settings
from lab.ui import url
from lab.ui.caches import leading
from lab.ui.nickname import NAME
from lab.ui.owner import me
from lab.ui.words import show_error

JOIN = "follow"  # ?follow=1
FOLLOWING = "following"  # whether this session does
SEEN = "followed_version"  # the version of the lead that it has moved to
SENT = "followed_place"  # where it was sent to
COMING = "followed_coming"  # the same until it has got there
MOVED = "followed_since"  # when it was sent there, on the clock of time.monotonic()
HERE = "followed_here"  # the page that was drawn last
SCRIPT = "followed_script"  # its file; "" of one that the class cannot be led to
FOLLOWER = "follower"  # its mark among the followers
LOST_SECONDS = 3.0  # within which nobody can leave the page that they were moved to: see `_move`
TICK = 1.0  # seconds between two refreshes of a follower
OFFER_TICK = 5.0  # and of a student who could follow; it is not urgent
LEADER_TICK = 3.0  # and of the teacher, at the number of followers


def script_of(page: StreamlitPage) -> str:
    """The file of a page that the class can be led to; "" of any other."""
    name = page.url_path or "start"  # the first page has no name in the URL
    return next((script for script in PAGES if script.endswith(f"/{name}.py")), "")


# --------------------------------------------------------------------------------------------------- what is told


@contextmanager
def shared(page: StreamlitPage) -> Iterator[None]:
    """Around a page that is drawn: where the teacher leads, tells the class where the teacher is now."""
    st.session_state[SCRIPT] = script_of(page)
    try:
        yield
    except StopException:  # a page that has said all it has to say
        tell()
        raise
    tell()


def tell() -> None:
    """The same of the page that was drawn last, for a callback after which a fragment is drawn and not the page."""
    script = st.session_state.get(SCRIPT, "")
    try:
        person = me()
    except SettingsError:  # said by the page already
        return
    if not leading().leads(person):
        return
    bound = PAGES[script].widgets if script else ()
    widgets = {name: st.session_state[name] for name in bound if name in st.session_state}
    parameters = {name: tuple(st.query_params.get_all(name)) for name in st.query_params}
    leading().move(person, place_of(script, parameters, widgets))


# ----------------------------------------------------------------------------------------------- joining and moving


def line(page: StreamlitPage) -> None:
    """Drawn at the top of every page but the projector's: what there is to say of following, if anything."""
    try:
        if settings().class_passphrase:  # else there is no teacher
            _line(page)
    except SettingsError as error:
        show_error(error)


def _line(page: StreamlitPage) -> None:
    st.session_state[HERE] = _page_hash()
    script = script_of(page)
    _arrive(script)
    if url.given(JOIN) == "1":
        join()
    url.drop(JOIN)
    if leading().leads(me()):
        _leader_line()
        return
    if st.session_state.get(FOLLOWING) and st.session_state.get(SENT) and st.session_state[SENT].page != script:
        if time.monotonic() - st.session_state[MOVED] < LOST_SECONDS:
            _move(st.session_state[SENT])
        stop_following()  # they went to another page by themselves
    if st.session_state.get(FOLLOWING):
        _go_where_it_leads()
        _follower_line()
    else:
        _offer()


def _arrive(script: str) -> None:
    """The second step of a move: parameters and widgets, before the page is drawn that reads them."""
    place: Place | None = st.session_state.get(COMING)
    if place is None:
        return
    if place.page != script:
        _move(place)
    del st.session_state[COMING]
    st.query_params.from_dict({**_own(), **{name: list(values) for name, values in place.parameters}})
    for name, value in place.widgets:
        st.session_state[name] = list(value) if isinstance(value, tuple) else value


def is_following() -> bool:
    """Whether this session goes where the teacher goes."""
    return bool(st.session_state.get(FOLLOWING))


def join() -> None:
    """Follow from now on."""
    st.session_state[FOLLOWING] = True
    for name in (SEEN, SENT):
        st.session_state.pop(name, None)


def stop_following() -> None:
    """Stop following."""
    st.session_state[FOLLOWING] = False
    st.session_state.pop(COMING, None)
    leading().leave(_mark())


def _mark() -> str:
    mark: str = st.session_state.setdefault(FOLLOWER, secrets.token_hex(8))
    return mark


def _go_where_it_leads() -> None:
    """Move to where the teacher is, unless this session has been sent there."""
    version = leading().version(_mark(), by=me())
    if st.session_state.get(SEEN) == version:
        return
    lead = leading().now()
    st.session_state[SEEN] = lead.version
    if lead.place is not None:
        _move(lead.place)


def _move(place: Place) -> NoReturn:
    """The first step of a move.

    A refresh of the old page may be on its way from the browser meanwhile. Streamlit then takes the browser to be still
    there: now, after which the next full run is of that page, or once the new one has been drawn, after which the next
    refreshes are. A session that notices this moves again.
    """
    st.session_state[COMING] = st.session_state[SENT] = place
    st.session_state[MOVED] = time.monotonic()
    st.switch_page(place.page, query_params=_own())


def _page_hash() -> str:
    """Of the page that this run is of."""
    context = get_script_run_ctx()
    return context.page_script_hash if context else ""


def _own() -> dict[str, str]:
    """The part of the URL that stays the follower's own."""
    return {NAME: st.query_params[NAME]} if NAME in st.query_params else {}


# -------------------------------------------------------------------------------------------------------- the line


def _row() -> st.delta_generator.DeltaGenerator:
    """A slim row, in the room that the menu leaves above the page's title."""
    return st.container(key="class-line", horizontal=True, vertical_alignment="center", gap="medium")


def _button(label: str, key: str, act: Callable[[], None], icon: str = "link_off") -> None:
    st.button(f":primary[{label}]", key=key, on_click=act, type="tertiary", icon=f":material/{icon}:")


def _follower_line() -> None:
    on = leading().now().on
    with _row():
        st.markdown(
            ":material/co_present: **Following the teacher**" + ("" if on else " · nobody is leading at the moment"),
            width="content",
        )
        _button("Stop following", "stop_following", stop_following)
    st.fragment(_follow, run_every=TICK)(on)


def _follow(shown: bool) -> None:
    """One tick: a few values compared, and nothing more while they are the same."""
    if _page_hash() != st.session_state.get(HERE) and st.session_state.get(SENT):
        _move(st.session_state[SENT])
    _go_where_it_leads()
    if leading().now().on != shown:
        st.rerun()


def _offer() -> None:
    on = leading().now().on
    if on:
        with _row():
            st.markdown(":material/co_present: The teacher leads the class", width="content")
            _button("Follow the teacher", "join", join, "link")

    def look() -> None:
        if leading().now().on != on:
            st.rerun()

    st.fragment(look, run_every=OFFER_TICK)()


def _leader_line() -> None:
    def how_many() -> None:
        count = leading().followers()
        who = "nobody follows yet" if not count else f"{count} follow{'s' if count == 1 else ''}"
        st.markdown(f":material/co_present: **You lead the class** · {who}", width="content")

    with _row():
        with st.container(width="content"):
            st.fragment(how_many, run_every=LEADER_TICK)()
        _button("Stop leading", "stop_leading", stop_leading)


def stop_leading() -> None:
    """Stop leading; somebody who is no longer the teacher leads nobody anyway."""
    with suppress(ClassError):
        leading().end(me())
