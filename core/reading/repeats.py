"""Steps that run again with the same weights, as a Repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

from core.architecture import spec
from core.architecture.spec import Norm, Op, Repeat
from core.reading.torch_signatures import parameters_of
from core.reading.values import Module

MOST_TIMES = 64


@dataclass(frozen=True, eq=False)
class Step:
    """One op on its way into the architecture, with the modules of the code that it stands for."""

    op: Op  # of an op with bodies, without them
    line: int
    modules: tuple[tuple[Module, ...], ...] = ()  # of each layer that the op stands for, one for each time it runs
    bodies: tuple[list[Step], ...] = ()

    def weights_of(self, module: Module) -> int:
        return parameters_of(module) or 0


def every_step(steps: list[Step]) -> Iterator[Step]:
    """All steps in order, each followed by those in its bodies."""
    for step in steps:
        yield step
        for body in step.bodies:
            yield from every_step(body)


def fold_repeats(steps: list[Step]) -> list[Step]:
    """The steps with runs of the same weights as Repeat, where that says the same."""
    steps = [replace(step, bodies=tuple(fold_repeats(body) for body in step.bodies)) for step in steps]
    depth = 0  # the innermost repeats first, and everywhere: one half folded is no longer like the others
    while (shared := _shared(steps)) and depth <= _depth(steps):
        folded = _folded(steps, shared, depth)
        depth += folded is None
        steps = folded or steps
    return steps


def _folded(steps: list[Step], shared: set[int], depth: int) -> list[Step] | None:
    """The steps with their shortest run as a Repeat, whose body nests repeats so deep; None where there is none."""
    kinds: dict[object, int] = {}
    labels = [_label(step, kinds) for step in steps]
    norms = [frozenset(_norms(step)) for step in steps]
    depths = [_depth([step]) for step in steps]
    holding = list(accumulate((_holds([step], shared) for step in steps), initial=0))
    deep = list(accumulate((each == depth for each in depths), initial=0))
    deeper = list(accumulate((each > depth for each in depths), initial=0))
    for length in range(1, len(steps) // 2 + 1):
        alike, runs = 0, []
        for at in range(len(steps) - length - 1, -1, -1):
            again = labels[at] == labels[at + length] and norms[at].isdisjoint(norms[at + length])
            alike = alike + 1 if again else 0
            end = at + length
            if alike >= length and holding[end] > holding[at] and deeper[end] == deeper[at] and deep[end] > deep[at]:
                runs.append((min(alike // length + 1, MOST_TIMES), holding[at + 1] > holding[at], -at))
        times, start = 1, 0
        for most, _, before in sorted(runs, reverse=True):
            # the longest run: a body may begin with a pool, and begun after it the first round would be left over
            if most > times and (found := _times(steps, -before, length)) > times:
                times, start = found, -before
        if times > 1:
            rounds = [steps[start + number * length : start + (number + 1) * length] for number in range(times)]
            body = [_merged(list(each)) for each in zip(*rounds, strict=True)]
            folded = Step(Repeat((), times), rounds[0][0].line, (), (body,))
            return [*steps[:start], folded, *steps[start + times * length :]]
    return None


def _label(step: Step, kinds: dict[object, int]) -> int:
    """The same number for steps of one op with the same weights, whatever their norms."""
    weights = [] if isinstance(step.op, Norm) else [id(each) for part in step.modules for each in part]
    weights = weights if any(step.weights_of(each) for part in step.modules for each in part) else []
    bodies = tuple(tuple(_label(each, kinds) for each in body) for body in step.bodies)
    return kinds.setdefault((step.op, tuple(weights), bodies), len(kinds))


def _norms(step: Step) -> Iterator[int]:
    """The norms with weights in a step, which a Repeat has anew each time."""
    for each in every_step([step]):
        if isinstance(each.op, Norm):
            yield from (id(module) for part in each.modules for module in part if each.weights_of(module))


def _depth(steps: list[Step]) -> int:
    """How deep repeats stand within repeats."""
    return max((isinstance(step.op, Repeat) + max(map(_depth, step.bodies), default=0) for step in steps), default=0)


def _shared(steps: list[Step]) -> set[int]:
    """The modules with weights, norms apart, that run more than once."""
    runs: Counter[int] = Counter()
    for step in every_step(steps):
        if not isinstance(step.op, Norm):
            for module in {id(each): each for part in step.modules for each in part}.values():
                runs[id(module)] += 1 if parameters_of(module) else 0
    return {number for number, count in runs.items() if count > 1}


def _holds(block: list[Step], shared: set[int]) -> bool:
    return any(id(each) in shared for step in every_step(block) for part in step.modules for each in part)


def _times(steps: list[Step], start: int, length: int) -> int:
    """How often the block of that length at `start` runs."""
    block, times = steps[start : start + length], 1
    seen = [block]
    while times < MOST_TIMES:
        following = steps[start + times * length : start + (times + 1) * length]
        if len(following) < length or not all(_all_again(earlier, following) for earlier in seen):
            return times
        seen.append(following)
        times += 1
    return times


def _all_again(block: list[Step], following: list[Step]) -> bool:
    return len(block) == len(following) and all(map(_again, block, following))


def _again(a: Step, b: Step) -> bool:
    """Whether b is a with the same weights; of a norm, with other ones, as Repeat has them."""
    if a.op != b.op or len(a.modules) != len(b.modules) or len(a.bodies) != len(b.bodies):
        return False
    for one, other in zip(a.modules, b.modules, strict=True):
        if any(map(parameters_of, one)):
            same = {id(each) for each in one} & {id(each) for each in other}
            if bool(same) is isinstance(a.op, Norm):
                return False
    return all(map(_all_again, a.bodies, b.bodies))


def _merged(rounds: list[Step]) -> Step:
    """One step for all rounds, with the modules of each."""
    first = rounds[0]
    modules = []
    for parts in zip(*(each.modules for each in rounds), strict=True):
        same = all(part == parts[0] for part in parts)
        modules.append(parts[0] if same else tuple(module for part in parts for module in part))
    bodies = tuple(
        [_merged(list(each)) for each in zip(*bodies, strict=True)]
        for bodies in zip(*(each.bodies for each in rounds), strict=True)
    )
    return replace(first, modules=tuple(modules), bodies=bodies)


def with_bodies(steps: list[Step]) -> tuple[Op, ...]:
    """The ops themselves, bodies and all."""
    return tuple(spec.with_bodies(step.op, tuple(with_bodies(body) for body in step.bodies)) for step in steps)
