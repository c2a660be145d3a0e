"""The menu by which a network or a run leaves the lab, the same on every page that shows one.

A file is made when it is asked for, and what is in the menu only while it is open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.architecture.fit import fit
from core.architecture.link import to_code
from core.architecture.spec import Architecture
from core.checkpoints.card import DIGITS_INPUT, Card
from core.errors import CheckpointError, SpecError
from core.export.kinds import KINDS, KindName, Leaving, stem_of
from core.export.section import Subject
from core.ladder.model import Step
from core.training.recipe import Recipe
from core.words import percent
from lab.runs.affordable import affordable
from lab.runs.rows import Run
from lab.studies.entries import Entry, checkpoint_of, recipe_of
from lab.studies.shelf import Shelved, find, in_folder, shipped
from lab.ui.caches import store
from lab.ui.names import named

NETWORK: tuple[KindName, ...] = ("code", "json", "onnx")
WEIGHTS: tuple[KindName, ...] = ("onnx", "state_dict", "safetensors", "card")
TRAINING: tuple[KindName, ...] = ("script", "notebook")


@dataclass(frozen=True)
class Offer:
    """One thing that the menu can write: a network, or a checkpoint of it."""

    title: str
    leaving: Leaving


def of_network(architecture: Architecture, recipe: Recipe, stem: str = "") -> Offer:
    """A network without trained weights, with the recipe that it would be trained with."""
    return Offer(architecture.name, Leaving(Subject(architecture, recipe, stem=stem)))


def of_checkpoint(shelved: Shelved) -> Offer:
    """A trained network."""
    return of_weights(named(shelved), shelved.stem, shelved.card, shelved.reference)


def of_weights(title: str, stem: Path, card: Card, reference: str) -> Offer:
    """The pair of files at that stem, whose files are named after the reference."""
    subject = Subject(card.architecture, card.recipe, card, stem_of(reference, card))
    return Offer(title, Leaving(subject, stem))


def of_step(step: Step, architecture: Architecture) -> Offer:
    """The shipped checkpoint of a step; of a network that the step's knobs have changed, the network."""
    own = [each for each in shipped() if each.reference == step.slug]
    if own and architecture == step.architecture:
        return of_checkpoint(own[0])
    return of_network(architecture, step.recipe, step.slug if architecture == step.architecture else "")


def of_runs(runs: Sequence[Run]) -> list[Offer]:
    """The last and the best checkpoint of each run; before the first epoch of any ends, the network."""
    found = [each for run in runs for each in in_folder(store().folder / run.id) if isinstance(each, Shelved)]
    kept = [each for which in ("last", "best") for each in found if each.stem.name == which]
    return [of_checkpoint(each) for each in kept] or [
        of_network(runs[0].architecture, recipe_of(runs[0]), runs[0].slug)
    ]


def of_entry(entry: Entry) -> Offer:
    """The checkpoint that stands for the entry; where it is not here, its network and recipe."""
    try:
        return of_checkpoint(find(checkpoint_of(entry)))
    except CheckpointError:
        return of_network(entry.architecture, entry.recipe, entry.slug)


def export_menu(
    made: Callable[[], Sequence[Offer]],
    at: DeltaGenerator | None = None,
    width: Literal["stretch", "content"] = "stretch",
    above: Callable[[], None] | None = None,
) -> None:
    """The menu, which asks for the offers once it is open. Of several, one is chosen in it.

    `at`: the column or container it stands in. `above`: draws what else can be done with files; the menu is then
    called File.
    """
    label, icon = ("File", "folder_open") if above else ("Export", "download")
    menu = (at or st).popover(label, icon=f":material/{icon}:", key="export", on_change="rerun", width=width)
    if above:
        with menu:
            above()
    if not menu.open:
        return
    with menu:
        offers = made()
        offer = offers[0]
        if len(offers) > 1:
            titles = [each.title for each in offers]
            offer = offers[st.selectbox("Of", range(len(offers)), format_func=titles.__getitem__, key="export-of")]
        _files(offer.leaving)


def _files(leaving: Leaving) -> None:
    """The buttons, in three groups, and the link."""
    subject, card = leaving.subject, leaving.subject.card
    trained = leaving.weights is not None and card is not None
    fits = not fit(subject.architecture).error
    st.markdown("**The network**")
    _buttons(leaving, (NETWORK[:-1] if trained else NETWORK) if fits else ("json",), "untrained")
    if card is not None and trained:
        run = f" (n 1, seed {card.recipe.seed})" if subject.run else ", trained elsewhere"
        st.markdown(f"**Trained weights**, {percent(card.record.test_accuracy)}{run}")
        _buttons(leaving, WEIGHTS, "trained")
    if fits and subject.architecture.input == DIGITS_INPUT:
        st.markdown("**The training**, with torch and torchvision alone")
        _buttons(leaving, TRAINING)
    st.caption("A link that opens the network under Design")
    st.code(design_address(subject.architecture), language=None)


def _buttons(leaving: Leaving, kinds: Sequence[KindName], onnx: str = "") -> None:
    row = st.container(horizontal=True, gap="xsmall")
    for name in kinds:
        kind = KINDS[name]
        row.download_button(
            f"{kind.label}, {onnx}" if name == "onnx" else kind.label, partial(_content, name, leaving),
            leaving.name(name), kind.mime, key=f"export-{name}", on_click="ignore", help=kind.about,
            disabled=name == "onnx" and not _may_build(leaving),
        )  # fmt: skip


def _may_build(leaving: Leaving) -> bool:
    """Whether this server makes an ONNX file of it: not of a network that is too much for it."""
    try:
        affordable(leaving.subject.architecture)
    except SpecError:
        return leaving.weights is not None
    return True


def _content(kind: KindName, leaving: Leaving) -> bytes:
    from core.export.files import file_of  # with torch, which takes two seconds to import

    return file_of(kind, leaving)


def design_address(architecture: Architecture) -> str:
    """The address of the Design page with that network."""
    base = (st.context.url or "").split("?")[0].rpartition("/")[0]
    return f"{base}/design?{urlencode({'design': to_code(architecture)})}"
