"""The sidebar: what is true on every page. The data set, the device, and what is running now."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage

from core.data.mnist import DOWNLOAD_BYTES, EMBEDDED, data_root, is_present
from core.words import plural, rounded
from lab.runs.machine import read_machine
from lab.runs.supervisor import child_environment, last_line
from lab.settings import ROOT, lab_home
from lab.ui import teacher
from lab.ui.caches import downloads, store
from lab.ui.links import link
from lab.ui.phone_menu import closes_after_a_choice
from lab.ui.presentation import leave_button, present_button, presenting
from lab.ui.words import errors_shown, escaped, told

STYLES = Path(__file__).with_name("page.css")
TICK = 5.0  # seconds between two refreshes of what is running


def heading(title: str, sentence: str, presents: bool = False) -> DeltaGenerator:
    """A page's title and the one sentence that says what it is for, moved up into the room the menu leaves.

    `presents`: the page offers its presentation. Returns the row at the title's right for more of the page's own.
    """
    with st.container(key="heading", gap=None):
        if not (presents or presenting()):
            st.title(title, anchor=False)
            st.markdown(sentence)
            return st.container()
        left, right = st.columns([4, 2], vertical_alignment="center")
        left.title(title, anchor=False)
        row = right.container(horizontal=True, horizontal_alignment="right", gap="small")
        st.markdown(sentence)
        with row:
            more = st.container(width="content")
            if presenting():
                leave_button()
            else:
                present_button()
    return more


def data_notice(dataset: str = "MNIST") -> None:
    """Where a data set is missing, say so, name its substitute, and offer to download it."""
    if is_present(dataset):
        return
    st.fragment(lambda: _notice(dataset), run_every=1.0 if _is_fetching(dataset) else None)()


def _notice(dataset: str) -> None:
    if is_present(dataset):
        st.rerun()  # it has just been downloaded: the whole page uses it now
    say, fetch = st.columns([3, 1], vertical_alignment="center")
    process = downloads().get(dataset)
    status = process.poll() if process else None
    failed = f" The download failed: {told(last_line(_download_log(dataset)))}" if status else ""
    say.info(
        f"{dataset} is not in `{data_root()}`. Until then the **{EMBEDDED}** are used: 1,797 real 8 x 8 digits, "
        f"enlarged. Figures from them are marked, because they are not {dataset}'s.{failed}",
        icon=":material/database:",
    )
    size = DOWNLOAD_BYTES[dataset]
    if process and status is None:
        raw = data_root() / dataset / "raw"
        there = sum(path.stat().st_size for path in raw.glob("*.gz")) if raw.is_dir() else 0
        fetch.progress(min(1.0, there / size), text=f"{rounded(there / 1e6, 1)} of {rounded(size / 1e6, 1)} MB")
    elif fetch.button(
        "Try again" if failed else f"Download it ({rounded(size / 1e6, 0)} MB)",
        icon=":material/download:",
        width="stretch",
    ):
        _start_download(dataset)
        st.rerun()  # the full run gives this notice its clock


def sidebar(menu: Mapping[str, Sequence[StreamlitPage]], page: StreamlitPage) -> None:
    """Draw it; it refreshes only while something is running."""
    section = next((number for number, pages in enumerate(menu.values(), 1) if page in pages), 0)
    # By this key the style sheet underlines the section: Streamlit marks the page only in the open menu.
    with st.sidebar, st.container(key=f"section-{section}"), errors_shown():
        closes_after_a_choice(page.url_path)
        teacher.sidebar()
        running = store().runs(limit=1, statuses=("running", "queued"))
        st.fragment(_state, run_every=TICK if running else None)()


def _state() -> None:
    st.caption("DATA SET")
    if is_present("MNIST"):
        st.markdown(":material/check_circle: MNIST, 60,000 + 10,000 images")
    else:
        st.markdown(f":material/info: {EMBEDDED.capitalize()}, 1,437 + 360 images")
    machine = read_machine(lab_home())
    st.caption("DEVICE")
    if machine:
        st.markdown(f":material/memory: {machine.names[0]}, torch {machine.torch}, {plural(machine.threads, 'thread')}")
        for sentence in machine.unused:
            st.caption(f":material/warning: {told(sentence)}")
    else:
        st.markdown(":material/memory: known once a run has started")
    st.caption("RUNNING NOW")
    with errors_shown():
        unfinished = store().runs(limit=6, statuses=("running", "queued"))
        if not unfinished:
            st.markdown("nothing")
        for run in unfinished:
            icon = "play_arrow" if run.status == "running" else "hourglass_empty"
            link("experiment/train", escaped(run.name), {"run": run.id}, icon, width="stretch")


def _start_download(dataset: str) -> None:
    """One process for all sessions: two would write into the same files."""
    if _is_fetching(dataset):
        return
    with _download_log(dataset).open("wb") as log:
        downloads()[dataset] = subprocess.Popen(
            [sys.executable, "-m", "lab", "data", "--download", dataset],
            cwd=ROOT,
            env=child_environment(store()),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _download_log(dataset: str) -> Path:
    return store().folder / f"download-{dataset}.log"


def _is_fetching(dataset: str) -> bool:
    process = downloads().get(dataset)
    return process is not None and process.poll() is None
