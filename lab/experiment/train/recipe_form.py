"""The recipe as a form: prefilled from the write-up, with the few main fields and those that the recipe uses; all
others are found by search."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import cast, get_args, get_type_hints

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.record import Range, range_of
from core.training import recipe as recipes
from core.training.recipe import MAX_STRENGTH, Augmentation, EarlyStopping, Optimizer, Recipe, Schedule
from core.training.recipe_words import field_words, value_words
from core.words import rounded
from lab.experiment.train.recipe_settings import OF_THE_RECIPE, all_settings, begins_with, is_main, used
from lab.runs.actions import MAX_SNAPSHOT_PARAMETERS
from lab.ui.number_field import number_field
from lab.ui.recipe_keys import OPTIMIZERS, SCHEDULES, Taken, plain, rate_key, taken_key

TO_BEGIN_WITH = {  # what is chosen and that the recipe does not have; the strength of a change
    "rotation": 10.0,
    "translation": 0.1,
    "scale": 0.1,
    "shear": 10.0,
    "perspective": 0.2,
    "brightness": 0.2,
    "contrast": 0.2,
    "crop": 0.1,
    "zoom": 0.2,
    "elastic": 40.0,
    "erasing": 0.2,
    "label_smoothing": 0.1,
    "l1": 0.0001,
    "gradient_clipping": 1.0,
    "validation_size": 5000,
    "plain_epochs": 2,
    "ema_decay": 0.99,
    "ema_warm_up": True,
}
UNITS = {
    "rotation": "degrees",
    "translation": "share of the side",
    "scale": "1 ± this",
    "shear": "degrees",
    "perspective": "distortion",
    "brightness": "1 ± this",
    "contrast": "1 ± this",
    "crop": "padding, share of the side",
    "zoom": "share of the area that is lost at most",
    "elastic": "alpha: how far pixels move",
    "erasing": "share of the area at most",
}
MORE = {  # fields of the recipe that come with another one
    "gradient_clipping": ("clip_by",),
    "ema_decay": ("ema_warm_up",),
    "validation_size": ("split_seed",),
    "normalisation": ("normalisation_mean", "normalisation_sd"),
}
SHORT = 15  # letters of a name that fits above half a column
RULES = (
    "The lab's rule makes all changes in one resampling, by continuous amounts; torchvision's makes the perspective "
    "first, and moves its corners, and a translation, by whole pixels, as RandomPerspective and RandomAffine do."
)


def recipe_form(written: Recipe, key: str) -> Recipe:
    """Edit a recipe. `key` names the step, so that each step keeps its own edits; the result may still not check."""
    left, right = st.columns(2)
    epochs, batch = (
        number_field(
            label, range_of(Recipe, name), getattr(written, name), at=at, key=f"{key}-{short}", persist_state="session"
        )
        for at, label, name, short in (
            (left, "Epochs", "epochs", "epochs"),
            (right, "Batch size", "batch_size", "batch"),
        )
    )
    st.session_state.setdefault(rate_key(key), written.learning_rate)
    rate = number_field(
        "Learning rate", range_of(Recipe, "learning_rate"), format="%.4g", step=None, key=rate_key(key),
        persist_state="session", help="The largest one, for schedules that rise and fall.",
    )  # fmt: skip
    _confirm(key, rate)
    chosen = st.session_state.get(f"{key}-optimizer", type(written.optimizer).__name__)
    with _folded(f"Optimizer: {chosen}", f"{key}-optimizer", ":material/trending_down:"):
        optimizer = _choice("Optimizer", OPTIMIZERS, written.optimizer, key, "optimizer")
        if chosen == "Adadelta" and rate < 0.1:
            st.caption("Adadelta's usual learning rate is 1.")
    chosen = st.session_state.get(f"{key}-schedule", type(written.schedule).__name__)
    with _folded(f"Schedule: {chosen}", f"{key}-schedule", ":material/timeline:"):
        schedule = _choice("Schedule", SCHEDULES, written.schedule, key, "schedule")
    changes = st.session_state.get(f"{key}-augmentation", _in_use(written.augmentation))
    in_order = ", ".join(kind for kind in MAX_STRENGTH if kind in changes)
    with _folded(f"Augmentation: {in_order or 'none'}", f"{key}-augmentation", ":material/auto_fix_high:"):
        augmentation = _augmentation(written.augmentation, key)
    rest = _settings(written, key)
    _search(key)
    return replace(
        written,
        epochs=int(epochs),
        batch_size=int(batch),
        learning_rate=float(rate),
        optimizer=cast(Optimizer, optimizer),
        schedule=cast(Schedule, schedule),
        augmentation=augmentation,
        **rest,  # type: ignore[arg-type]
    )


def _confirm(key: str, rate: float) -> None:
    """What another page has put into the form: once in passing, and under the field for as long as it stands there."""
    taken: Taken | None = st.session_state.get(taken_key(key))
    if taken is None or taken.rate != rate:
        return
    if not taken.told:
        st.toast(f"{taken.words}.", icon=":material/check:")
        st.session_state[taken_key(key)] = replace(taken, told=True)
    st.caption(f":green[:material/check: {taken.words}]")


def snapshots_toggle(parameters: int, key: str) -> bool:
    """Whether the weights of every epoch are kept: for networks small enough."""
    small = parameters < MAX_SNAPSHOT_PARAMETERS
    kept = st.toggle(
        "Keep the weights of every epoch",
        value=small,
        key=f"{key}-snapshots",
        persist_state="session",
        disabled=not small,
        help="To see later how filters and feature maps came about. Up to "
        f"{rounded(4 * parameters / 1e6, 2)} MB an epoch; for networks under {MAX_SNAPSHOT_PARAMETERS:,} parameters.",
    )
    return kept and small


def _folded(title: str, key: str, icon: str) -> DeltaGenerator:
    """An expander whose title tells what is chosen by the widget of that key inside it.

    A browser folds an expander when its title changes, unless `expanded` is set.
    """
    return st.expander(title, expanded=st.session_state.get(f"{key}-touched", False), icon=icon)


def _touch(key: str) -> None:
    st.session_state[f"{key}-touched"] = True


# ---------------------------------------------------------------------------------------- what is added, and taken out


def _added(key: str) -> list[str]:
    """The names of the settings that were added to the form, kept for the session."""
    kept: list[str] = st.session_state.setdefault(f"{key}-added", [])
    return kept


def _search(key: str) -> None:
    """The field that finds every setting by its name, or by another that people have for it, and adds it."""
    settings = {each.name: str(each) for each in all_settings()}
    there = _added(key)
    st.selectbox(
        "Add a setting", [name for name in settings if name not in there], None, format_func=settings.__getitem__,
        key=f"{key}-search", placeholder="Add a setting: cutout, Muon …", filter_mode="contains",
        on_change=_add, args=(key,), label_visibility="collapsed", icon=":material/search:",
    )  # fmt: skip


def _add(key: str) -> None:
    name, st.session_state[f"{key}-search"] = st.session_state[f"{key}-search"], None
    part, *rest = name.split(".")
    if part in ("optimizer", "schedule"):
        st.session_state[f"{key}-{part}"] = rest[0]
        _touch(f"{key}-{part}")
    elif part == "augmentation":
        chosen = st.session_state[f"{key}-augmentation"]
        if rest[0] in MAX_STRENGTH and rest[0] not in chosen:
            st.session_state[f"{key}-augmentation"] = [*chosen, rest[0]]
        _touch(f"{key}-augmentation")
    if part in ("optimizer", "schedule", "augmentation") and len(rest) == 1 and rest[0] != "resampling":
        return  # it has a place of its own
    st.session_state[f"{key}-removed"] = [each for each in st.session_state.get(f"{key}-removed", []) if each != name]
    if name not in _added(key):
        _added(key).append(name)


def _remove(key: str, name: str) -> None:
    """Back to its default."""
    st.session_state[f"{key}-added"] = [each for each in _added(key) if each != name]
    st.session_state[f"{key}-removed"] = [*st.session_state.get(f"{key}-removed", []), name]


def _settings(written: Recipe, key: str) -> dict[str, object]:
    """The recipe's own settings that it uses, or that were added; each can be taken out, which is its default."""
    removed, usual = st.session_state.get(f"{key}-removed", []), Recipe()
    shown = [name for name in used(written) if name not in removed]
    values: dict[str, object] = {}
    for setting in OF_THE_RECIPE:
        name, more = setting.name, MORE.get(setting.name, ())
        if name not in shown and name not in _added(key):
            if name in removed:
                values |= {each: getattr(usual, each) for each in (name, *more)}
            continue
        begin = written
        if name not in used(written):
            own = {each: TO_BEGIN_WITH[each] for each in (name, *more) if each in TO_BEGIN_WITH}
            begin = replace(written, **own)  # type: ignore[arg-type]
        with st.container(horizontal=True, vertical_alignment="bottom", wrap=False):
            values |= _setting(name, begin, key)
            st.button(
                "", icon=":material/close:", key=f"{key}-out-{name}", type="tertiary", on_click=_remove,
                args=(key, name), help=f"Take out: {setting.label}",
            )  # fmt: skip
        if name == "early_stopping":
            values[name] = _early_stopping(begin, f"{key}-{name}")
        values |= _fields(Recipe, begin, _followers(more, values), key)
    return values


def _followers(more: tuple[str, ...], values: dict[str, object]) -> tuple[str, ...]:
    """The further fields of a setting that matter for what is chosen."""
    return () if more and more[0] == "normalisation_mean" and values["normalisation"] != "own" else more


def _setting(name: str, begin: Recipe, key: str) -> dict[str, object]:
    """The value of one of the recipe's own settings."""
    if name == "early_stopping":
        st.caption("Early stopping", width="stretch")
        return {}
    if name == "range_test":
        st.caption("Find the learning rate just before", width="stretch", help="By a range test on a copy: its valley.")
        return {name: begin.range_test or recipes.RangeTest()}
    if name == "target_accuracy":
        target = number_field(
            "Target accuracy, %", Range(0, 100), 100 * begin.target_accuracy, step=0.1, key=f"{key}-target",
            persist_state="session",
        )  # fmt: skip
        return {name: round(float(target) / 100, 6)}
    return {name: _field(Recipe, begin, name, f"{key}-{name}")}


def _early_stopping(begin: Recipe, key: str) -> EarlyStopping:
    start = begin.early_stopping or EarlyStopping()
    found = _fields(EarlyStopping, start, tuple(each.name for each in fields(EarlyStopping)), key)
    return replace(start, **found)  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------------- the fields


def _choice(title: str, kinds: dict[str, type], written: object, key: str, part: str) -> object:
    """One of several dataclasses, and its fields."""
    own = f"{key}-{part}"
    st.session_state.setdefault(own, type(written).__name__)  # another page may have set it
    name = st.selectbox(title, list(kinds), key=own, on_change=_touch, args=(own,), persist_state="session")
    kind = kinds[name]
    start = written if isinstance(written, kind) else plain(kind)
    return _record(kind, start, plain(kind), f"{part}.{name}", key, f"{own}-{name}")


def _record(kind: type, start: object, usual: object, place: str, key: str, own: str) -> object:
    """An optimizer, a schedule or a change with its usual fields, those that are not as usual, and those added."""
    added = [each.rpartition(".")[2] for each in _added(key) if each.rpartition(".")[0] == place]
    names = []
    for field in fields(kind):
        value = getattr(start, field.name)
        if is_main(kind, field) or value != getattr(usual, field.name):
            names.append(field.name)
        elif field.name in added:
            names.append(field.name)
            start = replace(start, **{field.name: begins_with(kind, field.name, value)})  # type: ignore[type-var]
    names = [name for name in names if name not in ("strength", "probability")]  # a change's, which stand above
    return replace(start, **_fields(kind, start, tuple(names), own)) if names else start  # type: ignore[type-var]


def _fields(kind: type, start: object, names: tuple[str, ...], key: str) -> dict[str, object]:
    """A widget for each named field, by its type: numbers with a short name two in a row, all else in one each."""
    values: dict[str, object] = {}
    half_rows: list[DeltaGenerator] = []  # what is left of the row
    for name in names:
        if isinstance(getattr(start, name), str | bool | tuple) or len(field_words(name)) > SHORT:
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
        options = get_args(get_type_hints(kind)[name])
        return st.selectbox(
            title, options, options.index(value), format_func=value_words, key=key, persist_state="session"
        )
    if isinstance(value, tuple):
        return _whole_numbers(title, value, key)
    bounds = range_of(kind, name)
    if isinstance(value, int):
        return int(number_field(title, bounds, value, key=key, persist_state="session"))
    return float(number_field(title, bounds, value, step=None, format="%.6g", key=key, persist_state="session"))


def _whole_numbers(title: str, value: tuple[int, ...], key: str) -> tuple[int, ...]:
    text = st.text_input(title, value_words(value), key=key, persist_state="session", help="Such as 6, 12")
    parts = text.replace(",", " ").split()
    if parts and all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        return tuple(int(part) for part in parts)
    st.caption(f":orange[{title}: write whole numbers with commas, such as {value_words(value)}.]")
    return value


# --------------------------------------------------------------------------------------------------------- augmentation


def _augmentation(written: Augmentation, key: str) -> Augmentation:
    """The kinds of change as pills, and fields for those that are chosen: most recipes have one or two of them."""
    own = f"{key}-augmentation"
    st.session_state.setdefault(own, _in_use(written))  # the search may have set it
    chosen = st.pills(
        "Changes of an image", list(MAX_STRENGTH), selection_mode="multi", format_func=str.capitalize, key=own,
        on_change=_touch, args=(own,), persist_state="session",
    )  # fmt: skip
    changes: dict[str, object] = {name: type(getattr(written, name))() for name in _in_use(written)}
    for name in (each for each in MAX_STRENGTH if each in chosen):
        changes[name] = _change(written, name, key)
    augmentation = replace(written, **changes)  # type: ignore[arg-type]
    added = "augmentation.resampling" in _added(key)
    if not augmentation.geometric and not added:
        return augmentation
    bordered = added or written.padding_mode != "constant"
    return replace(augmentation, **_resampling(written, bordered, own))  # type: ignore[arg-type]


def _change(written: Augmentation, name: str, key: str) -> object:
    """How strong a change is and how often it is made, and what else of it is not as usual or was added."""
    start, most, own = getattr(written, name), MAX_STRENGTH[name], f"{key}-augmentation-{name}"
    left, right = st.columns(2)
    strength = number_field(
        name.capitalize(), Range(0, most), float(start.strength) or TO_BEGIN_WITH[name],
        at=left, step=most / 36 if most > 1 else 0.05, key=own, help=UNITS[name], persist_state="session",
    )  # fmt: skip
    probability = number_field(
        "Probability", Range(0, 1), float(start.probability), at=right, step=0.1, key=f"{own}-often",
        persist_state="session",
    )  # fmt: skip
    change = replace(start, strength=float(strength), probability=float(probability))
    return _record(type(change), change, type(change)(), f"augmentation.{name}", key, own)


def _resampling(written: Augmentation, bordered: bool, key: str) -> dict[str, object]:
    """What all geometric changes have in common."""
    left, right = st.columns(2)
    fill = number_field(
        "Fill", range_of(Augmentation, "fill"), float(written.fill), at=left, step=None, format="%.4g",
        key=f"{key}-fill", persist_state="session",
        help="Grey level that comes in from outside: 0 black, 1 white. One for all changes.",
    )  # fmt: skip
    with right:
        interpolation = _field(Augmentation, written, "interpolation", f"{key}-interpolation")
    border = written.padding_mode
    if bordered:
        border = _field(Augmentation, written, "padding_mode", f"{key}-padding_mode")  # type: ignore[assignment]
    rules = get_args(get_type_hints(Augmentation)["rule"])
    rule = st.selectbox(
        "Rule", rules, rules.index(written.rule), format_func=value_words, key=f"{key}-rule", persist_state="session",
        help=RULES,
    )  # fmt: skip
    return {"fill": float(fill), "interpolation": interpolation, "padding_mode": border, "rule": rule}


def _in_use(written: Augmentation) -> list[str]:
    return [name for name in MAX_STRENGTH if getattr(written, name).strength > 0]
