"""A write-up's table of fields beside the correct one."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.architecture.trace import trace
from core.ladder import catalogue
from core.ladder.catalogue import label
from core.ladder.field_claims import claimed_rows, not_carried
from core.ladder.model import FieldClaim
from lab.learn.field import figures as field_figures
from lab.learn.field.network import VIEWS, Viewed
from lab.ui.explorer import units_of
from lab.ui.links import link
from lab.ui.live_plot import still_plot


def wrong_tables(network: Viewed) -> None:
    """The write-up's own table beside the right one, why each number is wrong, and which number is lost."""
    step = network.step
    if step is None or not step.field_claims:
        whose = f"{label(step)}'s write-up" if step else "Your own design"
        st.info(f"{whose} has no wrong table of fields. These steps have one:", icon=":material/fact_check:")
        for each in catalogue.LADDER:
            if each.field_claims:
                link("learn/field", label(each), {"step": each.slug, "show": VIEWS[-1]})
        return
    walked = trace(step.architecture)
    rows = claimed_rows(walked, step.field_claims)
    jumps = not any(row.claim and row.claim.size is not None for row in rows)
    st.markdown(not_carried(rows))
    alt = f"The {'jump' if jumps else 'field'} after each layer: the write-up's beside the right one."
    still_plot(field_figures.claimed_fields(rows, jumps), "claimed-fields", alt)
    told = [
        {
            "layer": row.layer.name,
            "the write-up": _claimed_words(row.claim),
            "right": f"field {row.layer.field.size}, jump {row.layer.field.jump}",
            "map": f"{units_of(row.layer)} wide",
            "reason for the difference": row.why,
        }
        for row in rows
    ]
    st.table(pd.DataFrame(told).set_index("layer"))
    if network.walked.architecture != step.architecture:
        st.caption("The table is about the step of the write-up, without your changes.")
    link("learn/step", "What else its write-up got wrong", {"step": step.slug, "view": "Result"})


def _claimed_words(claim: FieldClaim | None) -> str:
    """What the write-up says where it is wrong; a dash where it says nothing wrong."""
    if claim is None:
        return "—"
    parts = (
        ("field", claim.size), ("jump", claim.jump), ("stride", claim.stride), ("map", claim.width),
        ("kernel", claim.kernel_size),
    )  # fmt: skip
    return ", ".join(f"{name} {value}" for name, value in parts if value is not None)
