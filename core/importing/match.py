"""Weights from a file given to the ops of a network: by name, by the code they came from, or in order, by shape.

Every weight of the file and of the network is in a row of the match, with both names and both shapes. A match with a
problem loads nothing: what would have to change is named, and where a change of the design fits, it is offered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from torch import Tensor, nn

from core.architecture.spec import Architecture, Shape
from core.errors import ImportingError
from core.importing.layouts import ARRAYS, channels_first, layouts
from core.importing.tensors import Tensors
from core.importing.unit import Unit, our_units
from core.record import short
from core.training.network import build
from core.words import number_order, plural


@dataclass(frozen=True)
class Row:
    """One weight: its name and shape in the file and here, and what is wrong, if anything is."""

    theirs: str  # the name in the file; empty where the file has none
    their_shape: Shape
    ours: str  # the path here, such as `3.body.0.weight`; empty where the network has no place
    our_shape: Shape
    how: str  # how the two were found to belong together
    problem: str = ""


@dataclass(frozen=True)
class Match:
    """The rows in the network's order, then what the file has besides; and how they were matched."""

    how: str  # such as "by name" or "in order, by shape"
    rows: tuple[Row, ...]
    weights: dict[str, Tensor]  # by our paths; complete where no row has a problem
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.problem)

    @property
    def complete(self) -> bool:
        return not self.problems


Pairs = list[tuple[Unit | None, Unit | None]]  # theirs and ours


def match(
    tensors: Tensors,
    architecture: Architecture,
    modules: Mapping[str, Sequence[str]] | None = None,
    unused: Sequence[str] = (),
) -> Match:
    """The best of all ways to give the weights to the network.

    `modules`: the torch paths of each op, where the network was read from code; `unused`: those of modules that the
    code declares and never calls; see `core.reading`. Raises SpecError for an architecture that does not fit.
    """
    if unused:
        left_out = [name for name in tensors.named if _is_of(name, unused)]
        kept = {name: value for name, value in tensors.named.items() if name not in left_out}
        if left_out and kept:
            found = match(replace(tensors, named=kept), architecture, modules)
            told = f"{plural(len(left_out), 'tensor')} of modules that are never called: left out."
            return replace(found, notes=(*found.notes, told))
    ours = our_units(build(architecture))
    best: Match | None = None
    for theirs, told in layouts(tensors, architecture):
        for found in _ways(theirs, ours, tensors.ordered, modules):
            if best is None or len(found.problems) < len(best.problems):
                best = replace(found, notes=(*found.notes, told)) if told else found
            if found.complete:
                return _channels_first(best, tensors, architecture)
    assert best is not None
    return best


def _ways(
    theirs: Sequence[Unit], ours: Sequence[Unit], ordered: bool, modules: Mapping[str, Sequence[str]] | None
) -> Iterator[Match]:
    """The ways to give the file's modules to the network's, the surest first."""
    yield _as_match("by name", _by_name(theirs, ours), True)
    if modules:
        yield _as_match("by the code", _by_code(theirs, ours, modules), True)
    for order, words in _orders(ordered, theirs):
        yield _as_match(words, _in_order(order, ours), False)
    yield _as_match("by shape", _by_shape(theirs, ours), False)


def loaded(found: Match, architecture: Architecture) -> nn.Sequential:
    """The network with the weights, in evaluation mode. Raises ImportingError for a match with a problem."""
    if not found.complete:
        raise ImportingError(not_fitting(found))
    network = build(architecture)
    counters = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    network.load_state_dict({**counters, **found.weights})
    return network.eval()


def not_fitting(found: Match) -> str:
    """The problems of a match in one sentence."""
    wrong = found.problems
    more = f"; and {plural(len(wrong) - 1, 'more problem')}" if len(wrong) > 1 else ""
    return f"the weights do not fit the network: {wrong[0].problem}{more}"


def _is_of(name: str, modules: Sequence[str]) -> bool:
    """Whether a tensor is one of these modules', also where its name has more before it."""
    return any(f".{name}".find(f".{module}.") >= 0 for module in modules)


# ------------------------------------------------------------------------------------------------------------ the ways


def _by_name(theirs: Sequence[Unit], ours: Sequence[Unit]) -> Pairs:
    """Modules of one name; what all names of a side begin with does not count."""
    by_name = dict(zip(_without_common([each.path for each in theirs]), theirs, strict=True))
    here = _without_common([each.path for each in ours])
    pairs: Pairs = [(by_name.pop(name, None), unit) for name, unit in zip(here, ours, strict=True)]
    return [*pairs, *((unit, None) for unit in by_name.values())]


def _without_common(paths: list[str]) -> list[str]:
    while len(paths) > 1 and all("." in path for path in paths) and len({path.split(".")[0] for path in paths}) == 1:
        paths = [path.partition(".")[2] for path in paths]
    return paths


def _by_code(theirs: Sequence[Unit], ours: Sequence[Unit], modules: Mapping[str, Sequence[str]]) -> Pairs:
    """The module of the file that the code names for the op."""
    by_path = {unit.path: unit for unit in theirs}
    nested = _common(by_path, [path for paths in modules.values() for path in paths])
    pairs: Pairs = []
    for unit in ours:
        paths = modules.get(unit.op_path, ())
        path = paths[min(unit.number, len(paths) - 1)] if paths else ""
        pairs.append((by_path.pop(f"{nested}{path}", None), unit))
    return [*pairs, *((unit, None) for unit in by_path.values())]


def _common(by_path: Mapping[str, Unit], named: Sequence[str]) -> str:
    """What the file's names have before those of the code, such as `model.` of a class around the network."""
    if not named or not by_path or any(path in by_path for path in named):
        return ""
    ends = [path for path in by_path if path.endswith(f".{named[0]}")]
    return ends[0].removesuffix(named[0]) if ends else ""


def _orders(ordered: bool, theirs: Sequence[Unit]) -> list[tuple[list[Unit], str]]:
    """The orders in which the modules of the file may follow each other, the surest first."""
    natural = sorted(theirs, key=lambda unit: number_order(unit.path))
    in_file = [(list(theirs), "in order, by shape")] if ordered else []
    return [*in_file, (natural, "in the order of the names, by shape")]


def _in_order(theirs: Sequence[Unit], ours: Sequence[Unit]) -> Pairs:
    """Convolutions and linear layers in order, norms in order, PReLUs in order; modules of one shape are aligned."""
    pairs: Pairs = []
    for kind in ("layer", "norm", "prelu"):
        a, b = ([unit for unit in side if unit.kind == kind] for side in (theirs, ours))
        for tag, i1, i2, j1, j2 in SequenceMatcher(
            None, [unit.shapes for unit in a], [unit.shapes for unit in b], autojunk=False
        ).get_opcodes():
            both = min(i2 - i1, j2 - j1)
            pairs += list(zip(a[i1 : i1 + both], b[j1 : j1 + both], strict=True))
            if tag != "equal":
                pairs += [(None, unit) for unit in b[j1 + both : j2]]
                pairs += [(unit, None) for unit in a[i1 + both : i2]]
    return sorted(pairs, key=lambda pair: ours.index(pair[1]) if pair[1] else len(ours))


def _by_shape(theirs: Sequence[Unit], ours: Sequence[Unit]) -> Pairs:
    """Each module to the next of its shapes, wherever it stands: for names whose order says nothing."""
    left, pairs = sorted(theirs, key=lambda unit: number_order(unit.path)), Pairs()
    for unit in ours:
        same = next((each for each in left if (each.kind, each.shapes) == (unit.kind, unit.shapes)), None)
        if same:
            left.remove(same)
        pairs.append((same, unit))
    return [*pairs, *((unit, None) for unit in left)]


# ------------------------------------------------------------------------------------------------------------- the rows


def _as_match(how: str, pairs: Pairs, named: bool) -> Match:
    rows, weights, reshaped = list[Row](), dict[str, Tensor](), 0
    for theirs, ours in pairs:
        parts = dict.fromkeys([*(ours.parts if ours else ()), *(theirs.parts if theirs else ())])
        for part in parts:
            their_name, given = theirs.named(part) if theirs else ("", None)
            our_name, wanted = ours.named(part) if ours else ("", None)
            problem = _problem(theirs, ours, part, given, wanted)
            if given is not None and wanted is not None and not problem:
                reshaped += given.shape != wanted.shape
                weights[our_name] = given.reshape(wanted.shape)
            rows.append(Row(their_name, _shape(given), our_name, _shape(wanted), how, problem))
    notes = []
    if reshaped:
        notes.append(f"{plural(reshaped, 'weight')} got another shape of as many values: linear and 1 x 1 convolution.")
    if not named and (told := _order_note(pairs)):
        notes.append(told)
    return Match(how, tuple(rows), weights, tuple(notes))


def _shape(values: Tensor | None) -> Shape:
    return tuple(values.shape) if values is not None else ()


def sizes(shape: Shape) -> str:
    """A weight's shape in words."""
    return " x ".join(f"{size:,}" for size in shape) or "1"


def _problem(theirs: Unit | None, ours: Unit | None, part: str, given: Tensor | None, wanted: Tensor | None) -> str:
    if given is None and wanted is not None and ours is not None:
        if theirs is None:
            return f"the file has nothing for {ours.path}.{part} ({sizes(_shape(wanted))})"
        if part.startswith("running_"):
            return (
                f"{short(theirs.path)} of the file has no {part}, and BatchNorm at {ours.path} needs it; the norm is "
                "another one, such as GroupNorm, or was made with track_running_stats=False, or only "
                "model.parameters() were saved: save model.state_dict()"
            )
        return f"{short(theirs.path)} of the file has no {part}; {ours.path}.{part} here has {sizes(_shape(wanted))}"
    if wanted is None and given is not None and theirs is not None:
        name = short(theirs.named(part)[0])
        if ours is None:
            return f"the network has no place for {name} ({sizes(_shape(given))}) of the file"
        return f"{name} of the file has {sizes(_shape(given))}; {ours.path} here has no {part}"
    if given is None or wanted is None or theirs is None or ours is None:
        return ""
    if _squeezed(_shape(given)) == _squeezed(_shape(wanted)):
        return ""
    return (
        f"{short(theirs.named(part)[0])} of the file has {sizes(_shape(given))}, {ours.path}.{part} here has "
        f"{sizes(_shape(wanted))}"
    )


def _squeezed(shape: Shape) -> Shape:
    """A 1 x 1 convolution and a linear layer have the same weights."""
    return shape[:-2] if len(shape) == 4 and shape[-2:] == (1, 1) else shape


def _order_note(pairs: Pairs) -> str:
    """Where norms stand elsewhere between the layers of the file than here: then only the accuracy tells."""
    both = [(theirs, ours) for theirs, ours in pairs if theirs and ours]
    their_order = [theirs.kind for theirs, _ in sorted(both, key=lambda pair: pair[0].place)]
    our_order = [ours.kind for _, ours in sorted(both, key=lambda pair: pair[1].place)]
    if their_order == our_order:
        return ""
    return (
        "In the file, layers and norms follow each other in another order than here. Each kind was matched in its own "
        "order; whether that is right, the accuracy tells."
    )


def _channels_first(found: Match, tensors: Tensors, architecture: Architecture) -> Match:
    """The match; of Keras's weights, the inputs of a linear layer after Flatten are put into the lab's order."""
    original = tensors.named
    is_keras = tensors.kind.startswith(ARRAYS) and any(
        row.their_shape != tuple(original[row.theirs].shape) or "kernel" in row.theirs
        for row in found.rows
        if row.theirs in original
    )
    if not found.complete or not is_keras:
        return found
    weights, notes = channels_first(found.weights, architecture)
    return replace(found, weights=weights, notes=(*found.notes, *notes))
