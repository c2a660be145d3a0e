"""Search: what may vary of the design and its recipe, how long it will take, and Start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from core.architecture.spec import Architecture
from core.architecture.trace import classifier
from core.data.mnist import DOWNLOAD_BYTES
from core.record import range_of
from core.search.space import HELD_OUT, SearchSpec, Space, check_search, searched
from core.training.recipe import Recipe
from core.words import plural
from lab.experiment.design.search_panel import SEARCH, search_panel, search_shown
from lab.experiment.design.state import Opened
from lab.runs.bounds import iterations_per_epoch
from lab.runs.expectation import seconds_per_batch
from lab.runs.searching import at_once, start_search
from lab.runs.turn_words import about
from lab.ui import frame, url
from lab.ui.caches import challenge, dataset_here, speeds, store
from lab.ui.number_field import number_field
from lab.ui.owner import me
from lab.ui.step import recipe_to_train
from lab.ui.words import errors_shown

EPOCHS = 4  # of each try, to begin with: enough to tell good networks from bad ones
VARYING = {  # the fields of a Space, in the words of the form
    "channels": "Channels",
    "kernel_size": "Kernel sizes",
    "activation": "Activation",
    "dropout": "Dropout",
    "pool": "Pooling",
    "learning_rate": "Learning rate",
    "optimizer": "Optimizer",
    "augmentation": "Augmentation",
    "batch_size": "Batch size",
}
RANGES = {  # and the fields that say how far
    "channels": (("least_channels", "Fewest channels"), ("most_channels", "Most channels")),
    "dropout": (("most_dropout", "Most dropout"),),
    "learning_rate": (("least_rate", "Lowest rate"), ("most_rate", "Highest rate")),
}


def search_view(now: Opened) -> None:
    """The form, and below it the search that is open."""
    st.markdown(
        "Trains many variants of this network, each chosen by how the ones before it came out, and shows which is best "
        f"at each size. They are compared on {HELD_OUT:,} training images that are held out: the best of many would "
        "look too good on the test images that chose it."
    )
    with errors_shown():
        open_one = search_shown()
        with st.expander("A new search", icon=":material/tune:", expanded=not open_one):
            _new_search(now)
        if open_one:
            search_panel(open_one)


def _new_search(now: Opened) -> None:
    if not now.trains:
        st.info("A search needs a network that can be trained: see the advice under Layers.")
        return
    dataset = dataset_here(challenge().dataset)
    spec, recipe = _inputs()
    with errors_shown():
        _start(now.architecture, recipe, spec, dataset)
    frame.data_notice("MNIST" if dataset not in DOWNLOAD_BYTES else dataset)


def _inputs() -> tuple[SearchSpec, Recipe]:
    """The search and the recipe that the form describes; they may still not check."""
    usual, recipe = SearchSpec(), recipe_to_train()
    budget_at, tries_at, epochs_at = st.columns(3)
    budget = _number("Budget, parameters", SearchSpec, "budget", challenge().parameters, at=budget_at, step=100)
    tries = _number("Networks to try", SearchSpec, "tries", usual.tries, at=tries_at)
    epochs = _number("Epochs for each", Recipe, "epochs", min(EPOCHS, recipe.epochs), at=epochs_at)
    st.session_state.setdefault("search-varying", ["channels"])
    chosen = st.pills(
        "What may vary", list(VARYING), selection_mode="multi", format_func=VARYING.__getitem__, key="search-varying",
        persist_state="session", wrap=True,
    )  # fmt: skip
    fields: dict[str, Any] = {name: name in chosen for name in VARYING}
    asked = [each for name in chosen for each in RANGES.get(name, ())]
    for (name, label), column in zip(asked, st.columns(max(3, len(asked))), strict=False):
        default = getattr(usual.space, name)
        fields[name] = _number(label, Space, name, default, at=column)
    return SearchSpec(Space(**fields), int(budget), int(tries)), replace(recipe, epochs=int(epochs))


def _number(label: str, kind: type, name: str, default: float, **more: Any) -> float:
    """A number field for a field of a dataclass."""
    whole = isinstance(default, int)
    shape: dict[str, Any] = {} if whole else {"step": None, "format": "%.4g"}
    more |= {"key": f"search-{name}", "persist_state": "session", **shape}
    found = number_field(label, range_of(kind, name), default, **more)
    return int(found) if whole else found


def _start(architecture: Architecture, recipe: Recipe, spec: SearchSpec, dataset: str) -> None:
    """Start, beside how long it is expected to take. Raises LabError for a search that cannot be made."""
    check_search(spec, architecture, searched(recipe))
    button, words = st.columns([1, 3], vertical_alignment="center")
    words.caption(_expected(architecture, recipe, spec, dataset))
    if button.button("Start search", type="primary", icon=":material/search:", width="stretch", key="search-start"):
        found = start_search(store(), architecture, recipe, spec, dataset=dataset, by=me())
        url.put(SEARCH, found.id)
        st.rerun()


def _expected(architecture: Architecture, recipe: Recipe, spec: SearchSpec, dataset: str) -> str:
    lanes = at_once(store(), me().key)
    iterations = recipe.epochs * iterations_per_epoch(dataset, searched(recipe))
    seconds = spec.tries * iterations * seconds_per_batch(architecture, recipe, speeds()) / lanes
    told = f"expected {about(seconds)}" if seconds else "how long it takes is known once a first run has finished"
    beside = "one after the other" if lanes == 1 else f"{lanes} at a time"
    size = classifier(architecture).parameters
    return f"{plural(spec.tries, 'run')}, {beside} · {told} · this design has {plural(size, 'parameter')}"
