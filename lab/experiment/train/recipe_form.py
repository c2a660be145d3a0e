"""The recipe as a form: prefilled from the write-up, every field within reach, the rare ones folded away."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Literal, cast, get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.record import range_of
from core.training import recipe as recipes
from core.training.recipe import MAX_STRENGTH, Augmentation, Jitter, Optimizer, Recipe, Schedule
from core.training.recipe_words import field_words, value_words
from lab.runs.actions import MAX_SNAPSHOT_PARAMETERS
from lab.ui.recipe_keys import SCHEDULES, plain, rate_key

OPTIMIZERS: dict[str, type[Optimizer]] = {kind.__name__: kind for kind in get_args(Optimizer)}
TO_BEGIN_WITH = {  # the strength of a change that the recipe does not have, when it is chosen
    "rotation": 10.0,
    "translation": 0.1,
    "scale": 0.1,
    "shear": 10.0,
    "perspective": 0.2,
    "brightness": 0.2,
    "contrast": 0.2,
}
UNITS = {
    "rotation": "degrees",
    "translation": "share of the side",
    "scale": "1 ± this",
    "shear": "degrees",
    "perspective": "distortion",
    "brightness": "1 ± this",
    "contrast": "1 ± this",
}
SHORT = 15  # letters of a name that fits above half a column
RULES = (
    "The lab's rule makes all changes in one resampling, by continuous amounts; torchvision's makes the perspective "
    "first, and moves its corners, and a translation, by whole pixels, as RandomPerspective and RandomAffine do."
)


def recipe_form(written: Recipe, key: str) -> Recipe:
    """Edit a recipe. `key` names the step, so that each step keeps its own edits; the result may still not check."""
    left, right = st.columns(2)
    epochs = left.number_input("Epochs", 1, 1000, written.epochs, key=f"{key}-epochs", persist_state="session")
    batch = right.number_input("Batch size", 1, 10_000, written.batch_size, key=f"{key}-batch", persist_state="session")
    st.session_state.setdefault(rate_key(key), written.learning_rate)
    rate = st.number_input(
        "Learning rate", 1e-9, 100.0, format="%.4g", step=None, key=rate_key(key), persist_state="session",
        help="The largest one, for schedules that rise and fall.",
    )  # fmt: skip
    chosen = st.session_state.get(f"{key}-optimizer", type(written.optimizer).__name__)
    with _folded(f"Optimizer: {chosen}", f"{key}-optimizer", ":material/trending_down:"):
        optimizer = _choice("Optimizer", OPTIMIZERS, written.optimizer, f"{key}-optimizer")
    chosen = st.session_state.get(f"{key}-schedule", type(written.schedule).__name__)
    with _folded(f"Schedule: {chosen}", f"{key}-schedule", ":material/timeline:"):
        schedule = _choice("Schedule", SCHEDULES, written.schedule, f"{key}-schedule")
    changes = st.session_state.get(f"{key}-augmentation", _in_use(written.augmentation))
    in_order = ", ".join(kind for kind in MAX_STRENGTH if kind in changes)
    with _folded(f"Augmentation: {in_order or 'none'}", f"{key}-augmentation", ":material/auto_fix_high:"):
        augmentation = _augmentation(written.augmentation, f"{key}-augmentation")
    with st.expander("Split, loss, averaging, precision", icon=":material/tune:"):
        validation = st.toggle(
            "Hold out 5,000 images", bool(written.validation_size), key=f"{key}-validation", persist_state="session",
            help="Choices are then made on them, and the test set is only looked at.",
        )  # fmt: skip
        shown = ("loss", "label_smoothing", "ema_decay", "ema_warm_up", "normalisation", "precision")
        start = written if written.ema_decay else replace(written, ema_warm_up=True)  # what an average begins with
        rest = _fields(Recipe, start, shown, key)
        if not rest["ema_decay"]:
            rest["ema_warm_up"] = written.ema_warm_up
        target = st.number_input(
            "Target accuracy, %",
            0.0,
            100.0,
            100 * written.target_accuracy,
            0.1,
            key=f"{key}-target",
            persist_state="session",
        )
        find = st.toggle(
            "Find the learning rate just before",
            written.range_test is not None,
            key=f"{key}-find",
            persist_state="session",
            help="A range test runs on a copy of the network; its valley becomes the learning rate.",
        )
    return replace(
        written,
        epochs=int(epochs),
        batch_size=int(batch),
        learning_rate=float(rate),
        optimizer=cast(Optimizer, optimizer),
        schedule=cast(Schedule, schedule),
        augmentation=augmentation,
        validation_size=5000 if validation else 0,
        target_accuracy=round(float(target) / 100, 6),
        range_test=(written.range_test or recipes.RangeTest()) if find else None,
        **rest,  # type: ignore[arg-type]
    )


def snapshots_toggle(parameters: int, key: str) -> bool:
    """Whether the weights of every epoch are kept: for networks small enough."""
    small = parameters < MAX_SNAPSHOT_PARAMETERS
    kept = st.toggle(
        "Keep the weights of every epoch", key=f"{key}-snapshots", persist_state="session", disabled=not small,
        help="To see later how filters and feature maps came about. Up to "
        f"{4 * parameters / 1e6:.2f} MB an epoch; for networks under {MAX_SNAPSHOT_PARAMETERS:,} parameters.",
    )  # fmt: skip
    return kept and small


def _folded(title: str, key: str, icon: str) -> DeltaGenerator:
    """An expander whose title tells what is chosen by the widget of that key inside it.

    A browser folds an expander when its title changes, unless `expanded` is set.
    """
    return st.expander(title, expanded=st.session_state.get(f"{key}-touched", False), icon=icon)


def _touch(key: str) -> None:
    st.session_state[f"{key}-touched"] = True


def _choice(title: str, kinds: dict[str, type], written: object, key: str) -> object:
    """One of several dataclasses, and its fields."""
    st.session_state.setdefault(key, type(written).__name__)  # another page may have set it
    name = st.selectbox(title, list(kinds), key=key, on_change=_touch, args=(key,), persist_state="session")
    kind = kinds[name]
    start = written if isinstance(written, kind) else plain(kind)
    shown = tuple(field.name for field in fields(kind))
    return replace(start, **_fields(kind, start, shown, f"{key}-{name}")) if shown else start  # type: ignore[type-var]


def _fields(kind: type, start: object, names: tuple[str, ...], key: str) -> dict[str, object]:
    """A widget for each named field, by its type: numbers with a short name two in a row, all else in one each."""
    values: dict[str, object] = {}
    half_rows: list[DeltaGenerator] = []  # what is left of the row
    for name in names:
        if isinstance(getattr(start, name), str | bool) or len(field_words(name)) > SHORT:
            half_rows = []
            values[name] = _field(kind, start, name, f"{key}-{name}")
            continue
        half_rows = half_rows or list(st.columns(2))
        with half_rows.pop(0):
            values[name] = _field(kind, start, name, f"{key}-{name}")
    return values


def _field(kind: type, start: object, name: str, key: str) -> object:
    value, words = getattr(start, name), field_words(name)
    title = words[0].upper() + words[1:]
    if isinstance(value, bool):
        return st.toggle(title, value, key=key, persist_state="session")
    if isinstance(value, str):
        options = get_args(CHOICES[name])
        return st.selectbox(
            title, options, options.index(value), format_func=value_words, key=key, persist_state="session"
        )
    bounds = range_of(kind, name)
    if isinstance(value, int):
        return int(st.number_input(title, int(bounds.least), int(bounds.most), value, key=key, persist_state="session"))
    return float(
        st.number_input(
            title, float(bounds.least), float(bounds.most), value, step=None, format="%.6g", key=key,
            persist_state="session",
        )
    )  # fmt: skip


CHOICES = {
    "loss": Literal["cross_entropy", "mean_squared_error"],
    "normalisation": Literal["mnist", "training_split"],
    "monitor": Literal["validation", "test"],
    "precision": Literal["fp32", "tf32", "bf16"],
}


def _augmentation(written: Augmentation, key: str) -> Augmentation:
    """The kinds of change as pills, and fields for those that are chosen: most recipes have one or two of the seven."""
    chosen = st.pills(
        "Changes of an image", list(MAX_STRENGTH), selection_mode="multi", default=_in_use(written),
        format_func=str.capitalize, key=key, on_change=_touch, args=(key,), persist_state="session",
    )  # fmt: skip
    jitters = {name: Jitter() for name in _in_use(written)}  # what is not chosen again is taken out
    for name in (kind for kind in MAX_STRENGTH if kind in chosen):
        own: Jitter = getattr(written, name)
        most = MAX_STRENGTH[name]
        left, right = st.columns(2)
        strength = left.number_input(
            name.capitalize(), 0.0, most, float(own.strength) or TO_BEGIN_WITH[name],
            step=most / 36 if most > 1 else 0.05, key=f"{key}-{name}", help=UNITS[name], persist_state="session",
        )  # fmt: skip
        probability = right.number_input(
            "Probability", 0.0, 1.0, float(own.probability), 0.1, key=f"{key}-{name}-often", persist_state="session"
        )
        jitters[name] = Jitter(float(strength), float(probability))
    augmentation = replace(written, **jitters)  # type: ignore[arg-type]
    if not augmentation.geometric:
        return augmentation
    left, right = st.columns(2)
    fill = left.number_input(
        "Fill", 0.0, 1.0, float(written.fill), step=None, format="%.4g", key=f"{key}-fill", persist_state="session",
        help="Grey level that comes in from outside: 0 black, 1 white. One for all changes.",
    )  # fmt: skip
    kinds = ("bilinear", "nearest")
    interpolation = right.selectbox(
        "Interpolation", kinds, kinds.index(written.interpolation), key=f"{key}-interpolation", persist_state="session"
    )
    rules = ("composed", "torchvision")
    rule = st.selectbox(
        "Rule", rules, rules.index(written.rule), format_func=value_words, key=f"{key}-rule", persist_state="session",
        help=RULES,
    )  # fmt: skip
    return replace(augmentation, fill=float(fill), interpolation=interpolation, rule=rule)  # type: ignore[arg-type]


def _in_use(written: Augmentation) -> list[str]:
    return [name for name in MAX_STRENGTH if getattr(written, name).strength > 0]
