"""Our handwriting: the digits the class drew, how every checkpoint reads them, and the set to take home."""

import streamlit as st

from core.errors import LabError
from lab.classroom.handwriting import MOST
from lab.ui import checkpoints, frame
from lab.ui.caches import handwriting
from lab.ui.links import link
from lab.ui.unreadable import list_checkpoints
from lab.ui.words import show_error
from lab.use.handwriting.view import scored, scores_view, set_gallery

frame.heading(
    "Our handwriting",
    "See how every network reads the digits you drew yourselves: a test set that none of them was chosen on.",
)
try:
    drawings = handwriting().drawings()
except LabError as error:
    show_error(error)
    st.stop()
if not drawings:
    st.info(
        "Nobody has kept a drawing yet. Draw a digit, open *Keep it in our handwriting* and say which digit it is.",
        icon=":material/draw:",
    )
    link("use/draw", "Draw the first")
    st.stop()

narrow, wide = st.columns([1, 3], gap="large")
with narrow:
    people = len({each.nickname or each.author for each in drawings})
    st.metric("Digits", f"{len(drawings):,}", f"by {people:,}", delta_color="off", delta_arrow="off", border=True)
    st.caption(f"At most {MOST:,} are kept, each prepared as MNIST was.")
    link("use/draw", "Draw another", icon="draw")
    st.download_button(
        "All as a ZIP", handwriting().export, "our-handwriting.zip", "application/zip",
        icon=":material/download:", on_click="ignore", width="stretch",
        help="The digits as networks get them and as they were drawn, PNGs, with labels.csv.",
    )  # fmt: skip
with wide:
    with st.spinner("Each network reads every digit once...", show_time=True):
        scores = scored(drawings, checkpoints.on_hand())
    if scores:
        scores_view(scores)
    list_checkpoints()
    st.markdown("## The set, the hardest first")
    set_gallery(drawings, scores)
    link("experiment/train", "Train a network that reads them better")
