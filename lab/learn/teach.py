"""The teacher's first page: the address for the students, and the plan."""

from __future__ import annotations

import segno
import streamlit as st

from lab.learn.plan import parts
from lab.server.addresses import is_own_machine, reachable
from lab.ui import teacher
from lab.ui.caches import challenge
from lab.ui.links import link

QR_MODULE = 5  # pixels for each square of the code: read by a phone from the second row of a room


def way_in() -> None:
    """The address that students open, as text and as a QR code; where it works on this machine only, what does."""
    address = teacher.join_address()
    if is_own_machine(address):
        others = reachable(address)
        st.warning(
            "You opened the lab as localhost, which is each machine's name for itself: students cannot open it. Start "
            "the lab for a class as `docs/serving.md` says. "
            + ("Then this is its address." if others else "This machine is in no network now."),
            icon=":material/wifi_off:",
        )
        if len(others) > 1:
            others = [st.radio("The machine's addresses", others)]
        address = "".join(others)
    if not address:
        return
    with st.container(key="way-in", gap="small"):
        st.code(address, language=None, wrap_lines=True)
        drawn = segno.make(address, micro=False).svg_inline(scale=QR_MODULE, border=3, light="#ffffff", dark="#000000")
        st.image(drawn, alt=f"QR code of {address}")
        st.caption("Whoever opens it follows you from page to page while you lead, and stops whenever they like.")


def plan() -> None:
    """The plan, each part with the way to its page."""
    begun = 0
    for number, part in enumerate(parts(challenge())):
        when, where, how = st.columns([0.9, 2, 4], gap="small", vertical_alignment="center")
        when.markdown(f"{begun}–{begun + part.minutes} min")
        with where.container(key=f"plan-{number}"):
            link(part.page, part.what, part.parameters, "arrow_forward")
        how.markdown(part.how)
        begun += part.minutes
