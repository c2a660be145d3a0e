"""The steps of forward as ops: where paths part and join there is a Residual, a Concatenate or a SqueezeExcite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from core.architecture import activations, spec
from core.architecture.spec import Op
from core.reading.graph import NO_NUMBERS, Graph, shape_words
from core.reading.repeats import Step, every_step, fold_repeats
from core.reading.values import Module, Node

MAX_PARTS = 128  # that one torch.cat joins


def steps_between(graph: Graph, start: Node, end: Node) -> list[Step]:
    """The ops from one step to a later one. What cannot be said as ops is left out, and told of in the graph."""
    nodes = _leading_to(end)
    for node in nodes:
        if node.kind == "mul":
            _as_op(graph, node)
        elif node.kind == "shifted":  # by 3, and no hard sigmoid came of it
            graph.line, node.kind = node.line, "skip"
            graph.complain(f"a number is added: {NO_NUMBERS}", "leave the number out")
    nodes = _leading_to(end)
    _share_prefixes(nodes)
    paths = _Paths(graph, _dominators(nodes))
    steps = paths.chain(start, end)
    for node, count in Counter(paths.emitted).items():
        if count > 1:
            graph.line = node.line
            graph.complain(
                "what this step gives is used in two places that cross each other; its weights are counted twice",
                "let each block use only its own input: x + f(x) or torch.cat([x, f(x)], 1)",
            )
    folded = fold_repeats(steps)
    _tell_shared(graph, folded)
    return folded


def _leading_to(end: Node) -> list[Node]:
    """The steps that the end depends on, in the order of their calls."""
    found: dict[int, Node] = {}
    waiting = [end]
    while waiting:
        node = waiting.pop()
        if node.number not in found:
            found[node.number] = node
            waiting += node.inputs
    return [found[number] for number in sorted(found)]


def _share_prefixes(nodes: list[Node]) -> None:
    """cat(a, b, c) after cat(a, b) becomes cat(cat(a, b), c), as dense blocks mean it; and so for sums."""
    known: dict[tuple[str, tuple[int, ...]], Node] = {}
    whole: dict[int, tuple[int, ...]] = {}
    by_number = {each.number: each for each in nodes}
    for node in nodes:
        if node.kind not in ("cat", "add"):
            continue
        parts: list[int] = []
        for each in node.inputs:
            parts += whole.get(each.number, (each.number,)) if each.kind == node.kind else (each.number,)
        if node.kind == "add":
            parts.sort()
        if len(parts) > MAX_PARTS:
            continue
        whole[node.number] = tuple(parts)
        for length in range(len(parts), 1, -1):
            earlier = known.get((node.kind, tuple(parts[:length])))
            if earlier is not None:
                if earlier not in node.inputs:
                    node.inputs = (earlier, *(by_number[number] for number in parts[length:]))
                break
        known.setdefault((node.kind, tuple(parts)), node)


def _dominators(nodes: list[Node]) -> dict[int, tuple[Node, int]]:
    """Of each step the last one that all paths to it go through, and how many of those there are. Lengauer's idea."""
    found: dict[int, tuple[Node, int]] = {}
    for node in nodes:
        if not node.inputs:
            found[node.number] = (node, 0)
            continue
        common = node.inputs[0]
        for each in node.inputs[1:]:
            common = _common(found, common, each)
        found[node.number] = (common, found[common.number][1] + 1)
    return found


def _common(found: dict[int, tuple[Node, int]], a: Node, b: Node) -> Node:
    while a is not b:
        deeper_a = found[a.number][1] >= found[b.number][1]
        if found[a.number][1] == found[b.number][1] == 0:
            return a  # two inputs: forward has one
        a, b = (found[a.number][0], b) if deeper_a else (a, found[b.number][0])
    return a


@dataclass(eq=False)
class _Paths:
    """Walks back from a step to one that all paths to it go through."""

    graph: Graph
    dominators: dict[int, tuple[Node, int]]

    def __post_init__(self) -> None:
        self.emitted: list[Node] = []

    def chain(self, start: Node, end: Node) -> list[Step]:
        found: list[Step] = []
        node = end
        while node is not start and node.inputs:
            before = self.dominators[node.number][0]
            joins = node.kind in ("add", "cat") and len(node.inputs) > 1  # one alone: the same join as an earlier one
            step = self._joined(node, before) if joins else self._single(node) if node.kind != "add" else None
            if step is not None:
                found.append(step)
            node = before
        return found[::-1]

    def _single(self, node: Node) -> Step | None:
        op = node.op
        if node.kind == "reshape":
            op = self._reshaped(node)
        elif node.kind not in ("op", "skip", "mul", "cat"):
            self._complain(node, "a map is left half pooled or padded", "write nn.AdaptiveAvgPool2d(1), or pad a conv")
        if op is None:
            return None
        self.emitted.append(node)
        modules = tuple(each for each in (node.module, *node.also) if each is not None)
        return Step(op, modules[0].line if node.module is not None else node.line, tuple((each,) for each in modules))

    def _reshaped(self, node: Node) -> Op | None:
        before, after = node.inputs[0].shape, node.shape
        if after is None or len(after) == 2:
            flat = before is not None and len(before) == 2
            return None if flat and node.module is None else spec.Flatten()
        if before is not None and len(before) == 2 and after[2:] == (1, 1):
            return None  # a vector as a map of one pixel: the lab does not tell them apart where it can
        words = f"{shape_words(before) if before else 'a map'} becomes {shape_words(after)}"
        self._complain(node, f"{words}; the lab only flattens", "write torch.flatten(x, 1) where a vector is needed")
        return None

    def _joined(self, node: Node, before: Node) -> Step | None:
        parts = [self.chain(before, each) for each in node.inputs]
        modules: tuple[tuple[Module, ...], ...] = ()
        if node.kind == "add":
            if not any(parts):
                self._complain(node, "a map is added to itself", "leave it out")
                return None
            total = parts[0]
            for part in parts[1:]:
                body, shortcut = sorted((total, part), key=lambda each: -sum(1 for _ in every_step(each)))
                total = [Step(spec.Residual((), ()), node.line, modules, (body, shortcut))]
            return total[0]
        shortcut = parts[0]
        step = None
        for body in parts[1:]:
            if not body and not shortcut:
                self._complain(node, "a map is joined with itself", "join it with what a layer makes of it")
                return None
            step = Step(spec.Concatenate((), ()), node.line, modules, (body, shortcut))
            shortcut = [step]
        return step

    def _complain(self, node: Node, message: str, instead: str) -> None:
        self.graph.line = node.line
        self.graph.complain(message, instead)


# ------------------------------------------------------------------------------------------------- products of maps


def _as_op(graph: Graph, node: Node) -> None:
    """A product of x and something computed from x as the op that it is; otherwise it is left out."""
    for x, other in (node.inputs, node.inputs[::-1]):
        made = _gate(x, other) or _squeeze_excite(graph, node, x, other)
        if made is not None:
            op, modules = made
            node.kind, node.op, node.inputs = "op", op, (x,)
            node.module, node.also = (modules[0], tuple(modules[1:])) if modules else (None, ())
            return
    graph.line = node.line
    graph.complain(
        "two maps are multiplied; the lab multiplies only in SiLU, Mish, Hardswish and SqueezeExcite",
        "leave it out, or write a squeeze-and-excite of two layers with ReLU between and sigmoid after",
    )
    node.kind, node.inputs = "skip", node.inputs[:1]


def _gate(x: Node, other: Node) -> tuple[Op, list[Module]] | None:
    modules = [other.module] if other.module is not None else []
    if other.inputs == (x,) and isinstance(other.op, activations.Sigmoid):
        return activations.SiLU(), modules
    if other.inputs == (x,) and isinstance(other.op, activations.Hardsigmoid):
        return activations.Hardswish(), modules
    inner = other.inputs[0] if len(other.inputs) == 1 else None
    if (
        isinstance(other.op, activations.Tanh)
        and inner
        and isinstance(inner.op, activations.Softplus)
        and inner.inputs == (x,)
    ):
        return activations.Mish(), modules
    return None


def _squeeze_excite(graph: Graph, node: Node, x: Node, other: Node) -> tuple[Op, list[Module]] | None:
    chain = [each for each in _back(other, x) if each.kind != "reshape"]
    if len(chain) != 5 or chain[-1].inputs[0] is not x:
        return None
    gate, second, between, first, pool = (each.op for each in chain)
    layers = [each for each in (first, second) if isinstance(each, spec.Conv | spec.Linear)]
    if len(layers) != 2 or not isinstance(pool, spec.GlobalAvgPool):
        return None
    graph.line = node.line
    if not isinstance(gate, activations.Sigmoid) or not isinstance(between, spec.ReLU):
        graph.complain("the lab's SqueezeExcite has ReLU between and sigmoid after", "use these two")
    if not all(each.bias for each in layers):
        graph.complain("the lab's SqueezeExcite has biases, these layers have none", "leave bias=False out")
    width = layers[0].out_channels if isinstance(layers[0], spec.Conv) else layers[0].out_features
    return spec.SqueezeExcite(width), [each.module for each in (chain[3], chain[1]) if each.module is not None]


def _back(node: Node, until: Node) -> Iterator[Node]:
    while node is not until and len(node.inputs) == 1:
        yield node
        node = node.inputs[0]


def _tell_shared(graph: Graph, steps: list[Step]) -> None:
    """Complain where one module runs several times, and the ops have weights of their own each time."""
    runs: Counter[int] = Counter()
    first: dict[int, tuple[Module, int]] = {}
    for step in every_step(steps):
        for module in {id(each): each for part in step.modules for each in part}.values():
            runs[id(module)] += 1
            first.setdefault(id(module), (module, step.weights_of(module)))
    for number, (module, weights) in first.items():
        if runs[number] > 1 and weights:
            graph.line = module.line
            graph.complain(
                f"the same nn.{module.kind} runs {runs[number]} times; its {weights:,} weights are counted each time",
                f"make a nn.{module.kind} of its own for each place",
            )
