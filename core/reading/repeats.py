"""Steps that run again with the same weights, as a Repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

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
    for length in range(1, len(steps) // 2 + 1):
        starts = [
            at
            for at in range(len(steps) - 2 * length + 1)
            if _again(steps[at], steps[at + length])
            and _holds(steps[at : at + length], shared)
            and _depth(steps[at : at + length]) == depth
        ]
        runs = [(_times(steps, at, length), _holds(steps[at : at + 1], shared), -at) for at in starts]
        # the longest run: a body may begin with a pool, and begun after it the first round would be left over
        times, _, start = max(runs, default=(1, False, 0))
        if times > 1:
            start = -start
            rounds = [steps[start + number * length : start + (number + 1) * length] for number in range(times)]
            body = [_merged(list(each)) for each in zip(*rounds, strict=True)]
            folded = Step(Repeat((), times), rounds[0][0].line, (), (body,))
            return [*steps[:start], folded, *steps[start + times * length :]]
    return None


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
