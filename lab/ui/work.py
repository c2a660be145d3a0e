"""What this person works on goes along from page to page: a network, the design, its run, a checkpoint.

A page whose URL names none of it gets it in its URL when it is opened. When it has been drawn, what its URL then says
is remembered: in the session, so that each tab has its own, and under the browser's key, so that the newest is there
after a reload and in a new tab. Who follows the teacher sees the teacher's work, and keeps their own for afterwards.
Looking is not choosing: a step that is only read about takes the place of no network, no run and no checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Annotated

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.scriptrunner import StopException

from core.architecture.link import MAX_CODE, from_code, to_code
from core.errors import LabError
from core.record import Json, Length, parse, read, to_json, write
from lab.classroom.designs import saved_design
from lab.classroom.leading import KNOBS, NETWORK
from lab.studies import entries, own_ladder
from lab.studies.shelf import Shelved
from lab.ui import checkpoints, owner
from lab.ui.caches import store
from lab.ui.follow import FOLLOWING
from lab.ui.step import DESIGN, FROM, SAVED

LOOKING = ("step", "field")  # pages on which a step is read about; a design of one's own, or a knob, is work there too
WORK = "work"  # the session's keys: what is worked on,
PAGE = "work_page"  # and the page that was drawn last
# What of a page's URL is worked on, by the page's name. A link that gives one of them gives all.
NAMES: Mapping[str, tuple[str, ...]] = {
    "step": NETWORK,
    "field": NETWORK,
    "design": (DESIGN, FROM),
    "train": (*NETWORK, "run"),
    "learning_rate": (*NETWORK, "run"),
    "compare": ("runs",),
    "mistakes": ("checkpoint",),
    "read": ("checkpoint",),
    "draw": ("checkpoint",),
    "inside": ("checkpoint",),
}


Value = Annotated[str, Length(0, MAX_CODE)]  # of a URL; a design's code is the longest


@dataclass(frozen=True)
class Work:
    """What somebody works on, each part as a URL says it."""

    network: dict[str, Value] = field(default_factory=dict[str, str])  # the step with its knobs, or the design
    design: dict[str, Value] = field(default_factory=dict[str, str])  # on the page Design, with what it started from
    looked: dict[str, Value] = field(default_factory=dict[str, str])  # a step that is read about since it was chosen
    run: str = ""  # of the network, on the page Train
    test: str = ""  # its range test, on the page Learning rate
    compared: Value = ""  # the runs on the page Compare
    checkpoint: str = ""


PARTS = (("network", "run", "test", "compared", "checkpoint"), ("design",), ("looked",))  # each changes as a whole


def noted(work: Work, page: str, given: Mapping[str, str]) -> Work:
    """The work once a page with these URL parameters has been drawn; a page that names none leaves it as it is.

    A new network has no run yet, and with a new run its own checkpoint and comparison take the place of the old ones.
    """
    there = {name: given[name] for name in NAMES.get(page, ()) if given.get(name)}
    if not there:
        return work
    if page == "compare":
        return replace(work, compared=there["runs"])
    if "checkpoint" in there:
        return replace(work, checkpoint=there["checkpoint"])
    network = {name: value for name, value in there.items() if name in NETWORK}
    if page in LOOKING and network != work.network and not any(name in network for name in (DESIGN, *KNOBS)):
        return replace(work, looked=network)
    work = replace(work, looked={})
    if page == "design":
        work = replace(work, design=there)
        network = _started_from(there) or work.network
    elif DESIGN in network:
        work = replace(work, design={name: network[name] for name in (DESIGN, FROM) if name in network})
    if network and network != work.network:
        work = replace(work, network=network, run="", test="", compared="", checkpoint="")
    run = there.get("run", "")
    if page == "learning_rate":
        return replace(work, test=run or work.test)
    if run and run != work.run:
        return replace(work, run=run, compared="", checkpoint="")
    return work


def _started_from(there: Mapping[str, str]) -> dict[str, str]:
    """The network of the page Design: the design, or what it starts from; empty for one that no other page takes."""
    if DESIGN in there:
        return dict(there)
    key = there[FROM]
    with suppress(LabError):
        if key.startswith(SAVED):
            return {DESIGN: to_code(saved_design(key.removeprefix(SAVED))), FROM: key}
        return {"step": own_ladder.by_slug(key).slug}
    return {}


def parameters(work: Work, page: str, given: Mapping[str, str]) -> dict[str, str | list[str]]:
    """What a page that is opened gets in its URL: as much of the work as there still is; nothing for a deep link."""
    names = NAMES.get(page, ())
    if not names or any(name in given for name in names):
        return {}
    if names == ("checkpoint",):
        chosen = _checkpoint(work)
        if chosen and page == "draw":
            return {"checkpoint": checkpoints.compared_with(chosen, checkpoints.on_hand())}
        return {"checkpoint": chosen.reference} if chosen else {}
    if page == "compare":
        runs = [key for key in (work.compared or work.run).split(",") if key and _is_comparable(key)]
        return {"runs": ",".join(runs)} if runs else {}
    seen = work.looked if page in LOOKING or not work.network else {}
    network = work.design if page == "design" else seen or work.network
    found: dict[str, str | list[str]] = {**network} if _is_there(network) else {}
    run = {"train": work.run, "learning_rate": work.test}.get(page, "")
    with suppress(LabError):
        if run and store().job(run):
            found["run"] = run
    return found


def _is_there(network: Mapping[str, str]) -> bool:
    try:
        if DESIGN in network:
            from_code(network[DESIGN])
        if "step" in network:
            own_ladder.by_slug(network["step"])
        if network.get(FROM, "").startswith(SAVED) and DESIGN not in network:
            saved_design(network[FROM].removeprefix(SAVED))
    except LabError:
        return False
    return True


def _is_comparable(key: str) -> bool:
    try:
        return bool(entries.find(store(), key))
    except LabError:
        return False


def _checkpoint(work: Work) -> Shelved | None:
    """The checkpoint that was looked at last, else the run's, else the shipped one of the step as it is, or is read."""
    wanted = [work.checkpoint]
    with suppress(LabError):
        wanted += [f"{run.id}/last" for run in store().job(work.run)] if work.run else []
    wanted += [network["step"] for network in (work.network, work.looked) if list(network) == ["step"]]
    shelf = {shelved.reference: shelved for shelved in checkpoints.on_hand()} if any(wanted) else {}
    return next((shelf[reference] for reference in wanted if reference in shelf), None)


# -------------------------------------------------------------------------------------------------------- this session


@contextmanager
def carried(page: StreamlitPage) -> Iterator[None]:
    """Around a page that is drawn: brings the work along, and remembers what has become of it."""
    with suppress(LabError):  # what does not work says so on the page itself
        _bring(page.url_path)
    try:
        yield
    except StopException:  # a page that has said all it has to say
        _remember(page.url_path)
        raise
    _remember(page.url_path)


def _bring(page: str) -> None:
    """Only where a page is opened: on the page itself, nothing chosen is a choice."""
    before, st.session_state[PAGE] = st.session_state.get(PAGE), page
    if before == page or st.session_state.get(FOLLOWING) or page not in NAMES:
        return
    for name, value in parameters(current(), page, st.query_params.to_dict()).items():
        st.query_params[name] = value


def _remember(page: str) -> None:
    if st.session_state.get(FOLLOWING) or page not in NAMES:
        return
    given = {name: st.query_params.get_all(name)[0] for name in st.query_params}
    with suppress(LabError):
        _keep(noted(current(), page, given))


def looks_at(reference: str) -> None:
    """Remember a checkpoint that is chosen within a fragment, after which no page is drawn."""
    with suppress(LabError):
        if not st.session_state.get(FOLLOWING):
            _keep(replace(current(), checkpoint=reference))


def current() -> Work:
    """What this session works on; a new one goes on with the newest of its browser."""
    if WORK not in st.session_state:
        st.session_state[WORK] = Work()
        person = owner.me()
        if owner.SESSION not in st.session_state and (text := store().kept(person.key, "work")):
            with suppress(LabError):  # of an older version
                st.session_state[WORK] = read_work(text)
    kept: Work = st.session_state[WORK]
    return kept


def _keep(work: Work) -> None:
    before: Work = st.session_state.get(WORK, Work())
    if work == before:
        return
    st.session_state[WORK] = work
    person = owner.me()
    if owner.SESSION not in st.session_state:  # else the browser keeps no cookie, and is nobody's the next time
        store().keep(person.key, "work", lambda kept: to_json(write_work(merged(kept, before, work))))


def merged(kept: str, before: Work, now: Work) -> Work:
    """What is kept for the browser, with the parts that this tab has changed: another tab's design stays the newest."""
    try:
        newest = read_work(kept) if kept else Work()
    except LabError:  # of an older version
        return now
    for names in PARTS:
        values = {name: getattr(now, name) for name in names}
        if any(values[name] != getattr(before, name) for name in names):
            newest = replace(newest, **values)
    return newest


def write_work(work: Work) -> Json:
    """Its JSON form."""
    return write(work)


def read_work(text: str) -> Work:
    """The work that a JSON text describes. Raises LabError."""
    return read(Work, parse(text, "the work", LabError), "the work", LabError)
