"""What was imported: the ways on from the last one, and the list, from which its owner may delete."""

from __future__ import annotations

import streamlit as st

from core.errors import LabError
from lab.studies.imported import delete_imported, imported, may_delete
from lab.studies.shelf import Shelved
from lab.ui.links import link
from lab.ui.owner import me
from lab.ui.words import escaped, show_error
from lab.use.bring.weights import DONE

PROBLEM = "bring-problem"  # in the session, for the run after a click


def imported_list() -> None:
    """The imported checkpoints, the last one first, with what can be done with each."""
    if problem := st.session_state.pop(PROBLEM, None):
        show_error(problem)
    found = imported()
    last = next((each for each in found if each.reference == st.session_state.get(DONE)), None)
    if last:
        _done(last)
    if not found:
        return
    with st.expander(f"Imported here: {len(found):,}", icon=":material/inventory_2:"):
        for each in found[:100]:
            told, remove = st.columns([5, 1], vertical_alignment="center")
            told.markdown(f"**{escaped(each.card.name)}** · {_figures(each)}")
            if may_delete(each.reference, me()):
                remove.button("Delete", key=f"delete-{each.reference}", on_click=_delete, args=(each.reference,))


def _done(shelved: Shelved) -> None:
    st.success(f"Imported: **{escaped(shelved.card.name)}**, {_figures(shelved)}.", icon=":material/check_circle:")
    ways = (
        ("use/mistakes", "Its mistakes", {"checkpoint": shelved.reference}, "error"),
        ("use/draw", "Draw for it", {"checkpoint": shelved.reference}, "draw"),
        ("use/inside", "Look inside", {"checkpoint": shelved.reference}, "biotech"),
        ("experiment/compare", "Compare it", {"runs": shelved.reference}, "compare_arrows"),
    )
    for column, (page, label, parameters, icon) in zip(st.columns(len(ways)), ways, strict=True):
        link(page, label, parameters, icon=icon, at=column)


def _figures(shelved: Shelved) -> str:
    card = shelved.card
    by = f", by {escaped(card.imported.by)}" if card.imported and card.imported.by else ""
    return (
        f"{card.parameters:,} parameters, {card.record.test_accuracy:.2%} of {card.test_images:,} test images of "
        f"{card.dataset}{by}"
    )


def _delete(reference: str) -> None:
    try:
        delete_imported(reference, me())
    except LabError as error:
        st.session_state[PROBLEM] = error
