"""Files that people have: what is in one, and the command that imports it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.architecture.spec import Architecture
from core.errors import ImportingError
from core.files import reason
from core.record import Json, short
from core.words import plural
from lab.cli.result import Incomplete

if TYPE_CHECKING:
    from core.importing.match import Match
    from core.importing.normalisation import Candidate, Tried
    from core.importing.opened import Opened
    from core.importing.result import Brought
    from core.importing.tensors import Tensors
    from core.reading.record import CodeRead, Network

SHOWN = 12  # rows of a match that does not fit


@dataclass(frozen=True)
class Named:
    """A network, and where it was read from code the torch paths of its ops and of what is never called."""

    architecture: Architecture
    modules: dict[str, tuple[str, ...]] | None = None
    unused: Sequence[str] = ()
    network: Network | None = None


def is_there(path: Path) -> bool:
    """Whether there is something of that name; a name that no file can have is of none."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def opened(path: Path) -> Opened:
    """The file, opened. Raises LabError: what it is, and what to do."""
    from core.importing.kind import MAX_BYTES
    from core.importing.opened import open_file

    try:
        if path.is_dir():
            raise ImportingError(f"{path} is a folder; name a file in it")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ImportingError(f"{path} has {size:,} bytes, at most {MAX_BYTES:,} are read")
        return open_file(path.read_bytes(), path.name)
    except OSError as error:
        raise ImportingError(f"{path}: cannot be read: {reason(error)}") from None


def architecture_in(found: Opened, wanted: str = "", onto: str = "") -> Architecture:
    """The network in an opened file; of weights alone, the known network that they fit. Raises LabError."""
    if found.code:
        return _chosen(found.code, wanted).architecture
    if found.onnx:
        return found.onnx.architecture
    if found.tensors:
        return _onto(found.tensors, found.file, onto)[0]
    if found.architecture is None:
        what = "a recipe; give it to --recipe" if found.recipe else "a table of layers; it does not say how they follow"
        raise ImportingError(f"{found.file} is {what}")
    return found.architecture


def _chosen(code: CodeRead, wanted: str) -> Named:
    """The class of that name, or the first. Raises ImportingError."""
    names = [network.name for network in code.networks]
    if wanted and wanted not in names:
        raise ImportingError(f"--class: there is no network {short(wanted)} in it; there are {', '.join(names)}")
    network = next(each for each in code.networks if wanted in ("", each.name))
    if network.architecture is None:
        told = network.problems[0] if network.problems else None
        why = f"{code.place(told.line)}: {told.message}" if told else "nothing of it could be read"
        raise ImportingError(f"{network.name} could not be read: {why}")
    modules = {op.path: op.modules for op in network.ops if op.modules}
    return Named(network.architecture, modules, [each.module for each in network.unused], network)


def _by_name(name: str) -> Named:
    """The network of --onto: a step, a saved design, an own checkpoint, or a file. Raises LabError."""
    from lab.studies.imported import SAVED, known_networks

    known = known_networks()
    for key in (name, SAVED + name):
        if key in known:
            return Named(known[key])
    starting = [key for key in known if key.startswith(name)] if name else []
    if len(starting) == 1:
        return Named(known[starting[0]])
    if is_there(Path(name)):
        found = opened(Path(name))
        return _chosen(found.code, "") if found.code else Named(architecture_in(found))
    raise ImportingError(
        f"--onto: {short(name)} is no step, saved design or file; `python -m lab steps` lists the steps"
    )


def _onto(tensors: Tensors, file: str, onto: str) -> tuple[Architecture, Match]:
    """The network for weights that came alone: the named one, or the only known one that they fit."""
    from core.importing.candidates import candidates, same_answers
    from core.importing.match import match
    from lab.studies.imported import known_networks

    if onto:
        named = _by_name(onto)
        return named.architecture, match(tensors, named.architecture, named.modules, named.unused)
    known = known_networks()
    fitting = candidates(tensors, known)
    distinct = {same_answers(known[name].ops): name for name in reversed(fitting)}
    if len(distinct) == 1:
        name = next(iter(distinct.values()))
        return known[name], fitting[name]
    values = sum(value.numel() for value in tensors.named.values())
    if not fitting:
        raise ImportingError(
            f"{file} holds {plural(len(tensors.named), 'tensor')} with {values:,} values, and no known network has "
            "such weights in this order; give its code or design with --onto FILE"
        )
    raise ImportingError(f"{file} fits {len(distinct)} networks, {', '.join(fitting)}: say which one with --onto")


# -------------------------------------------------------------------------------------------------------------- import


def import_command(options: argparse.Namespace) -> Json | Incomplete:
    """A file of any kind: read it, say what is in it, and with weights put a checkpoint on the shelf."""
    found = opened(options.file)
    say = _Say(options.json)
    if found.recipe or found.table:
        return _not_a_network(found, options, say)
    document: dict[str, Json] = {"file": found.file, "kind": found.kind}
    modules: dict[str, tuple[str, ...]] | None = None
    unused: Sequence[str] = ()
    if found.code:
        named = _chosen(found.code, options.network_class or "")
        modules, unused = named.modules, named.unused
        assert named.network
        _tell_code(found.code, named.network, say, document)
    if found.tensors:
        architecture, matched = _onto(found.tensors, found.file, options.onto or "")
        return _with_weights(found.tensors, found.file, architecture, matched, options, say, document)
    if found.onnx:
        return _with_onnx(found, options, say, document)
    architecture = architecture_in(found, options.network_class or "")
    if options.weights:
        from core.importing.match import match

        weights = opened(options.weights)
        if weights.tensors is None:
            raise ImportingError(
                f"--weights: {weights.file} holds no weights that go onto a network; it is {weights.kind}"
            )
        matched = match(weights.tensors, architecture, modules, unused)
        return _with_weights(weights.tensors, weights.file, architecture, matched, options, say, document)
    return _as_design(architecture, options, say, document)


class _Say:
    """Prints, unless the command prints JSON."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet

    def __call__(self, text: str) -> None:
        if not self.quiet:
            print(text)


def _tell_code(code: CodeRead, network: Network, say: _Say, document: dict[str, Json]) -> None:
    """What of the code was read, what was not, and what is never called."""
    problems = [(code.place(each.line), each) for each in (*code.problems, *network.problems)]
    for place, problem in problems:
        say(f"{place}: {problem.message}{f' Write instead: {problem.instead}' if problem.instead else ''}")
    for note in network.notes:
        say(f"{code.place(note.line)}: {note.message}")
    for each in network.unused:
        count = "" if each.parameters is None else f", {plural(each.parameters, 'parameter')}"
        say(f"{code.place(each.line)}: {each.module} ({each.kind}{count}) is declared and never called; it is left out")
    if network.unused and network.total is not None:
        say(f"torch counts {network.total:,} parameters with what is never called")
    others = [each.name for each in code.networks if each.name != network.name]
    if others:
        say(f"read {network.name}; there are also {', '.join(others)}: choose with --class")
    document |= {
        "class": network.name,
        "classes": [each.name for each in code.networks],
        "problems": [{"place": place, "source": each.source, "message": each.message} for place, each in problems],
        "unused": [each.module for each in network.unused],
        "total_parameters": network.total,
    }


def _as_design(architecture: Architecture, options: argparse.Namespace, say: _Say, document: dict[str, Json]) -> Json:
    from dataclasses import replace

    from core.architecture.trace import trace
    from lab.classroom.designs import save_beside

    walked = trace(architecture)
    name = save_beside(replace(architecture, name=options.title or architecture.name))
    say(f"{walked.parameters:,} parameters, {plural(len(architecture.ops), 'op')}; saved as the design {name!r}")
    say("with --weights FILE its weights are imported too; `trace` shows it op by op")
    return {**document, "design": name, "parameters": walked.parameters, "ops": len(architecture.ops)}


def _with_onnx(found: Opened, options: argparse.Namespace, say: _Say, document: dict[str, Json]) -> Json:
    from core.importing.result import of_onnx

    assert found.onnx
    for note in found.onnx.notes:
        say(note)
    say(f"same outputs as {found.onnx.runtime}: they differ by at most {found.onnx.difference:.1e}")
    document |= {"notes": list(found.onnx.notes), "largest_difference": found.onnx.difference}
    return _imported(of_onnx(found.file, found.onnx), options, say, document)


def _with_weights(
    tensors: Tensors,
    file: str,
    architecture: Architecture,
    found: Match,
    options: argparse.Namespace,
    say: _Say,
    document: dict[str, Json],
) -> Json | Incomplete:
    from core.importing.match import not_fitting, sizes
    from core.importing.offer import offers
    from core.importing.result import of_weights

    for note in (*tensors.notes, *found.notes):
        say(note)
    document |= {
        "network": architecture.name,
        "matched": found.how,
        "notes": [*tensors.notes, *found.notes],
        "rows": [
            {
                "theirs": row.theirs,
                "their_shape": list(row.their_shape),
                "ours": row.ours,
                "our_shape": list(row.our_shape),
                "problem": row.problem,
            }
            for row in found.rows
        ],
    }
    if found.complete:
        say(f"{plural(len(found.rows), 'tensor')} onto {architecture.name}, {found.how}")
        return _imported(of_weights(file, tensors, architecture, found), options, say, document)
    for row in found.problems[:SHOWN]:
        say(f"{row.theirs or '-':<32}{sizes(row.their_shape) if row.theirs else '':<16}{row.problem}")
    offered = offers(tensors, architecture)
    for offer in offered:
        say(f"they fit after these changes of the design: {'; '.join(offer.changes)}")
    document["offers"] = [list(offer.changes) for offer in offered]
    return Incomplete(document, not_fitting(found))


def _imported(brought: Brought, options: argparse.Namespace, say: _Say, document: dict[str, Json]) -> Json:
    """Choose the normalisation, evaluate, and put the checkpoint on the shelf."""
    from core.data.mnist import best_present, load
    from core.importing.result import card_of
    from lab.studies.imported import keep_imported

    data = load(best_present())
    chosen, found = normalisation(brought, options.normalisation, data.name)
    for each in found:
        mark = "*" if each.candidate.key == chosen.key else " "
        say(f"{mark} {each.accuracy:>7.2%}  {each.candidate.key:<16}{each.candidate.words}")
    name = options.title or brought.architecture.name
    card = card_of(brought, " ".join(name.split())[:100], data, chosen, found)
    shelved = keep_imported(brought.network, card)
    assert shelved.card.imported
    accuracy = shelved.card.imported.test_accuracy
    say(f"{shelved.reference}: {accuracy:.2%} of {card.test_images:,} test images of {data.name}, by {chosen.key}")
    tried: list[Json] = [
        {"normalisation": each.candidate.key, "accuracy": each.accuracy, "images": each.images} for each in found
    ]
    return {
        **document,
        "checkpoint": shelved.reference,
        "normalisation": chosen.key,
        "normalisations": tried,
        "test_accuracy": accuracy,
        "test_images": card.test_images,
        "dataset": data.name,
        "parameters": card.parameters,
    }


def normalisation(brought: Brought, wanted: str | None, data: str) -> tuple[Candidate, tuple[Tried, ...]]:
    """The wanted normalisation, or the best of all, and what each reaches on held-out images. Raises LabError."""
    from core.data.mnist import load
    from core.importing.normalisation import CANDIDATES, best, own
    from core.importing.result import all_tried, held_out

    mine: tuple[Candidate, ...] = ()
    if wanted and wanted not in {each.key for each in CANDIDATES}:
        try:
            mean, sd = (float(part) for part in wanted.split(","))
        except ValueError:
            keys = ", ".join(each.key for each in CANDIDATES)
            raise ImportingError(
                f"--normalisation: {short(wanted)} is none of {keys}, nor MEAN,SD such as 0.5,0.5"
            ) from None
        if not (1e-6 <= abs(sd) <= 1e6 and abs(mean) <= 1e6):
            raise ImportingError(f"--normalisation: mean {mean:g} and sd {sd:g} are not possible; sd must not be 0")
        mine = (own(mean, sd),)
    found = all_tried(brought, held_out(load(data)), mine)
    if not wanted:
        return best(found).candidate, found
    key = "own" if mine else wanted
    return next(each.candidate for each in found if each.candidate.key == key), found


def _not_a_network(found: Opened, options: argparse.Namespace, say: _Say) -> Json:
    """A recipe, or a table of layers, which is compared with a design."""
    if found.recipe:
        say(f"{found.file} is a recipe that the lab can follow: `python -m lab train NETWORK --recipe {found.file}`")
        from core.training.recipe import recipe_to_dict

        return {"file": found.file, "kind": "recipe", "recipe": recipe_to_dict(found.recipe)}
    if not options.onto:
        raise ImportingError(f"{found.file} is a table of layers; name the design to compare it with: --onto NETWORK")
    from core.architecture.trace import trace
    from core.reading.summary_table import compare_table

    compared = compare_table(found.table, trace(_by_name(options.onto).architecture))
    for row in compared.rows:
        theirs, ours = (f"{each.kind} {each.parameters:,}" if each else "-" for each in (row.theirs, row.ours))
        say(f"{'  ' if row.same else '* '}{theirs:<32}{ours:<32}{row.difference}")
    total = "none" if compared.their_total is None else f"{compared.their_total:,}"
    say(f"total in the table {total}, here {compared.our_total:,}: {'the same' if compared.same else 'they differ'}")
    rows: list[Json] = [{"same": row.same, "difference": row.difference} for row in compared.rows]
    return {"file": found.file, "kind": "table", "same": compared.same, "rows": rows}


# ------------------------------------------------------------------------------- a file in place of a checkpoint


def brought_from(path: Path, onto: str, wanted: str | None) -> tuple[Brought, Candidate]:
    """The network in a file of weights or ONNX, and its normalisation, for a command that asks a checkpoint."""
    from core.data.mnist import best_present
    from core.importing.result import of_onnx, of_weights

    found = opened(path)
    if found.onnx:
        brought = of_onnx(found.file, found.onnx)
    elif found.tensors:
        architecture, matched = _onto(found.tensors, found.file, onto)
        brought = of_weights(found.file, found.tensors, architecture, matched)
    else:
        raise ImportingError(
            f"{found.file} holds no weights: it is {found.kind}; name a file of weights, or a checkpoint"
        )
    chosen, tried = normalisation(brought, wanted, best_present())
    at = next(each for each in tried if each.candidate.key == chosen.key)
    print(
        f"{found.file}: {brought.architecture.name}, {brought.matched}; {chosen.words}: {at.accuracy:.2%} of "
        f"{at.images:,} held-out images",
        file=sys.stderr,
    )
    return brought, chosen
