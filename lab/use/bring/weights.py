"""The weights that were brought: onto which network, the match, the normalisation, and the import."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.architecture.json_form import architecture_to_json
from core.architecture.link import to_code
from core.architecture.spec import Architecture
from core.data.mnist import best_present, load
from core.errors import ImportingError, LabError
from core.record import Range, outside
from core.words import plural, significant
from lab.runs.affordable import affordable
from lab.studies.imported import SAVED, keep_imported, known_networks
from lab.ui import url
from lab.ui.headline import headline
from lab.ui.links import link
from lab.ui.nickname import nickname
from lab.ui.number_field import number_field
from lab.ui.owner import me
from lab.ui.words import escaped, told
from lab.use.bring.inputs import Brought
from lab.use.bring.source import Source

if TYPE_CHECKING:
    from core.importing.match import Match
    from core.importing.normalisation import Candidate, Tried
    from core.importing.offer import Offer
    from core.importing.result import Brought as Ready
    from core.importing.tensors import Tensors

ONTO, NORMALISATION = "onto", "normalisation"  # in the URL
GREY_LEVELS = Range(-1e6, 1e6)  # of a normalisation, whatever the scale of the images was
DONE = "bring-done"  # in the session: the reference of what was imported last


def weights_view(brought: Brought, source: Source | None, narrow: DeltaGenerator) -> None:
    """From the weights to the checkpoint; of ONNX without the match."""
    from core.importing.result import of_onnx, of_weights

    opened = brought.source
    if opened and opened.onnx and source:
        for note in opened.onnx.notes:
            st.caption(escaped(note))
        st.success(
            f"The network gives the same outputs as the file in {opened.onnx.runtime}: they differ by at most "
            f"{significant(opened.onnx.difference, 2)} for random images.",
            icon=":material/check_circle:",
        )
        ready = of_onnx(opened.file, opened.onnx)
        _normalise_and_import(ready, brought.key, narrow)
        return
    if brought.tensors is None or brought.tensors.tensors is None:
        if source:
            st.info("Drop its weights on the left to see its mistakes.", icon=":material/upload_file:")
        return
    tensors, file = brought.tensors.tensors, brought.tensors.file
    found = (
        (source.architecture, _matched(brought.key, architecture_to_json(source.architecture), tensors, source))
        if source
        else _onto(tensors, brought.key, narrow)
    )
    if found is None:
        return
    architecture, matched = found
    _match_view(tensors, matched)
    if not matched.complete:
        chosen = _offers(tensors, architecture)
        if chosen is None:
            return
        architecture, matched = chosen.architecture, chosen.match
        _match_view(tensors, matched)
    walked = affordable(architecture)
    if source is None:
        headline(walked, None, "import it to find out")
    ready = of_weights(file, tensors, architecture, matched)
    _normalise_and_import(ready, brought.key + architecture_to_json(architecture), narrow)


@st.cache_resource(max_entries=8, show_spinner="Matching the weights...")
def _matched(key: str, architecture: str, _tensors: Tensors, _source: Source) -> Match:
    from core.importing.match import match

    affordable(_source.architecture)
    return match(_tensors, _source.architecture, _source.modules, _source.unused)


# ------------------------------------------------------------------------------------------------- onto which network


def _onto(tensors: Tensors, key: str, narrow: DeltaGenerator) -> tuple[Architecture, Match] | None:
    """The network for weights that came alone: one of those that they fit, or another by choice."""
    known = known_networks()
    fitting = _fitting(key, tuple(known), tensors)
    names = [*fitting, *(name for name in known if name not in fitting)]
    first = next(iter(fitting), "")
    name = url.one_of(ONTO, names, first, quiet=True)
    with narrow:
        bound = url.bound(ONTO, name or None, default=first)
        st.selectbox(
            "Onto which network", names, format_func=_title(set(fitting)), index=None, placeholder="choose", **bound
        )
    if not fitting:
        values = sum(value.numel() for value in tensors.named.values())
        st.warning(
            f"The file holds {plural(len(tensors.named), 'tensor')} with {values:,} values, and no network here has "
            "such weights in this order. Paste its code on the left, or choose a network to see what differs.",
            icon=":material/help:",
        )
    elif not url.given(ONTO):
        others = f", of {len(fitting)} that fit" if len(fitting) > 1 else ""
        st.info(f"The weights fit **{escaped(first)}**{others}.", icon=":material/check:")
    if not name:
        return None
    architecture = known[name]
    return architecture, _matched(key, architecture_to_json(architecture), tensors, Source(architecture))


def _title(fitting: set[str]) -> Callable[[str], str]:
    return lambda name: ("✓ " if name in fitting else "") + name.removeprefix(SAVED)


@st.cache_data(max_entries=32, show_spinner="Looking for a network that the weights fit...")
def _fitting(key: str, names: tuple[str, ...], _tensors: Tensors) -> list[str]:
    from core.importing.candidates import candidates

    return list(candidates(_tensors, known_networks()))


# ---------------------------------------------------------------------------------------------------------- the match


def _match_view(tensors: Tensors, found: Match) -> None:
    from core.importing.match import sizes

    for note in (*tensors.notes, *found.notes):
        st.caption(escaped(note))
    if found.complete:
        st.success(
            f"All {plural(len(found.rows), 'tensor')} have a place, {found.how}.", icon=":material/check_circle:"
        )
    else:
        st.error(
            f"{len(found.problems)} of {plural(len(found.rows), 'tensor')} do not fit, {found.how}. The first: "
            + told(found.problems[0].problem)
            + "."
        )
    rows = [
        {
            "": "≠" if row.problem else "",
            "in the file": row.theirs or "—",
            "shape": sizes(row.their_shape) if row.theirs else "",
            "here": row.ours or "—",
            "shape here": sizes(row.our_shape) if row.ours else "",
            "problem": row.problem,
        }
        for row in sorted(found.rows, key=lambda row: not row.problem)
    ]
    frame = pd.DataFrame(rows)
    if found.complete:
        frame = frame.drop(columns=["", "problem"])
    with st.expander("The match, weight by weight", icon=":material/compare_arrows:", expanded=not found.complete):
        st.dataframe(frame, hide_index=True, height=min(38 + 35 * len(frame), 388), alt="Each weight and its place.")


def _offers(tensors: Tensors, architecture: Architecture) -> Offer | None:
    """The changes of the design that would let the weights fit; one of them, if it is chosen."""
    from core.importing.offer import offers

    found = offers(tensors, architecture)
    if not found:
        st.caption("No change of the design's fields alone would let them fit: its layers or norms are not as many.")
        return None
    names = {"; ".join(offer.changes): offer for offer in found}
    chosen = st.radio("They fit after a change of the design:", list(names), index=None, key="bring-offer")
    link(
        "experiment/design", "See the first in Design", {"design": to_code(found[0].architecture)}, icon="architecture"
    )
    return names.get(chosen or "")


# ------------------------------------------------------------------------------------------- normalisation and import


@st.cache_data(max_entries=64, show_spinner="Trying the usual normalisations on held-out images...")
def _tried(key: str, dataset: str, own: tuple[float, float] | None, _ready: Ready) -> tuple[Tried, ...]:
    from core.importing.normalisation import own as own_one
    from core.importing.result import all_tried, held_out

    return all_tried(_ready, held_out(load(dataset)), (own_one(*own),) if own else ())


def _normalise_and_import(ready: Ready, key: str, narrow: DeltaGenerator) -> None:
    from core.importing.normalisation import USUAL, best

    dataset = best_present()
    with narrow, st.expander("A normalisation of your own"):
        mean = number_field("Mean", GREY_LEVELS, 0.0, format="%.4f", key="bring-mean")
        sd = number_field("Standard deviation", GREY_LEVELS, 1.0, format="%.4f", key="bring-sd")
    for what, value in (("mean", mean), ("standard deviation", sd)):
        if told := outside(value, GREY_LEVELS):
            raise ImportingError(f"the {what}: {told}")
    if abs(sd) < 1e-6:
        raise ImportingError(
            f"a standard deviation of {significant(sd, 6)} cannot be divided by; give one that is not 0"
        )
    own = (mean, sd) if (mean, sd) != (0.0, 1.0) else None
    tried = _tried(key, dataset, own, ready)
    proposed = best(tried).candidate.key
    by_key = {each.candidate.key: each for each in tried}
    usual = [each for number, each in enumerate(tried) if number < USUAL or each.candidate.key in (proposed, "own")]
    shown = list(tried) if url.given(NORMALISATION) in by_key else usual
    st.markdown("## Which normalisation was it trained with?")
    name = url.one_of(NORMALISATION, [each.candidate.key for each in shown], proposed, quiet=True)
    st.radio(
        "Normalisation",
        [each.candidate.key for each in shown],
        label_visibility="collapsed",
        format_func=lambda each: _told(by_key[each], each == proposed),
        **url.bound(NORMALISATION, name, default=proposed),
    )
    top = by_key[name].accuracy
    st.caption(
        f"Each was evaluated on the same {by_key[name].images:,} held-out images of {dataset}, not on the test set."
        + (" None of them reads digits: the match, or the data it was trained on, is another." if top < 0.5 else "")
    )
    _import(ready, by_key[name].candidate, tried, dataset)


def _told(each: Tried, proposed: bool) -> str:
    return f"{each.accuracy:.2%} · {each.candidate.words}" + (" · proposed" if proposed else "")


def _import(ready: Ready, chosen: Candidate, tried: tuple[Tried, ...], dataset: str) -> None:
    with st.form("bring-form", border=False):
        left, right = st.columns(2, vertical_alignment="bottom")
        name = left.text_input("Its name here", ready.architecture.name, max_chars=80, key="bring-name")
        wanted = right.form_submit_button("Import", type="primary", icon=":material/download_done:", width="stretch")
    if wanted:
        from core.importing.result import card_of

        try:
            with st.spinner("Reading every test image once...", show_time=True):
                title = " ".join(name.split()) or ready.architecture.name
                card = card_of(ready, title, load(dataset), chosen, tried, by=nickname())
                st.session_state[DONE] = keep_imported(ready.network, card, me()).reference
        except LabError as error:
            raise ImportingError(f"it could not be imported: {error}") from None
