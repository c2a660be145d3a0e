"""einops: `rearrange` and `reduce` with their patterns, where they flatten, pool or change nothing."""

from __future__ import annotations

import re
from math import prod

from core.architecture import spec
from core.reading.graph import Graph, shape_words
from core.reading.values import Module, NotUnderstood, Shape, Tensor, Value

FUNCTIONS = ("rearrange", "reduce")
LAYERS = {"Rearrange": "rearrange", "Reduce": "reduce"}
MAX_PATTERN = 200  # characters
_TOKEN = re.compile(r"\(|\)|\.\.\.|\w+")
Sides = list[list[str]]  # of each axis of the map the names it is made of, the last one changing fastest
PLAIN = "write torch.flatten(x, 1), F.max_pool2d, F.avg_pool2d or x.mean([2, 3])"


def layer(kind: str, given: tuple[Value, ...], keywords: dict[str, Value], line: int) -> Module:
    """einops.layers.torch.Rearrange or Reduce."""
    sizes = dict(keywords)
    given = (*given, *(None,) * 2)
    pattern, how = given[0] or sizes.pop("pattern", None), given[1] or sizes.pop("reduction", None)
    return Module(f"einops.{kind}", line, {"name": LAYERS[kind], "pattern": pattern, "how": how, "sizes": sizes})


def call(graph: Graph, name: str, given: tuple[Value, ...], keywords: dict[str, Value]) -> Tensor:
    """einops.rearrange(x, pattern, **sizes) or reduce(x, pattern, reduction, **sizes)."""
    sizes = dict(keywords)
    tensor, pattern, how = (*given, *(None,) * 3)[:3]
    tensor, pattern = tensor or sizes.pop("tensor", None), pattern or sizes.pop("pattern", None)
    if not isinstance(tensor, Tensor):
        raise NotUnderstood(f"{name} of something that is not one map", PLAIN)
    return apply_pattern(graph, name, tensor, pattern, how or sizes.pop("reduction", None), sizes)


def apply_pattern(
    graph: Graph, name: str, values: Tensor, pattern: Value, how: Value, sizes: dict[str, Value]
) -> Tensor:
    """What `rearrange` or `reduce` makes of a map. Raises NotUnderstood where no op of the lab does that."""
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN or pattern.count("->") != 1:
        raise NotUnderstood(f"the pattern of {name} is not known", PLAIN)
    shape = values.shape
    if shape is None:
        raise NotUnderstood(f"{name} of a map whose shape is not known", PLAIN)
    left, right = pattern.split("->")
    hidden = [f"...{number}" for number in range(len(shape) - len(_axes(left, [])))]
    before, after = _axes(left, hidden), _axes(right, hidden)
    known = _sizes(before, shape, {key: size for key, size in sizes.items() if isinstance(size, int)}, pattern)
    gone = {each for group in before for each in group} - {each for group in after for each in group}
    gone = {each for each in gone if known[each] != 1}
    if unknown := [each for group in after for each in group if each not in known]:
        raise NotUnderstood(f"{pattern!r} makes a new axis {unknown[0]}", PLAIN)
    if name == "reduce" and gone:
        values, before = _pooled(graph, values, before, gone, known, how, pattern)
    elif gone:
        raise NotUnderstood(f"{pattern!r} loses the axis {min(gone)}", PLAIN)
    order = [[each for group in side for each in group if known[each] != 1] for side in (before, after)]
    if order[0] != order[1]:
        raise NotUnderstood(f"{pattern!r} changes the order of the axes", f"keep them in torch's order, or {PLAIN}")
    result = tuple(prod(known[each] for each in group) for group in after)
    return values if result == values.shape else graph.reshape(values, result, own=graph.module is not None)


def _axes(text: str, hidden: list[str]) -> Sides:
    """`b (c h) w` as [["b"], ["c", "h"], ["w"]]; a 1 has no name, another number is one. `hidden`: what `...` is."""
    found: Sides = []
    inside: list[str] | None = None
    for at, token in enumerate(_TOKEN.findall(text)):
        names = hidden if token == "..." else [] if token == "1" else [f"{token}#{at}" if token.isdigit() else token]
        if token == "(":
            inside = []
        elif token == ")":
            found.append(inside or [])
            inside = None
        elif inside is not None:
            inside += names
        else:
            found += [[each] for each in names] if token == "..." else [names]
    return found


def _sizes(before: Sides, shape: Shape, given: dict[str, int], pattern: str) -> dict[str, int]:
    """The size of each name. Raises NotUnderstood where the pattern does not fit the map."""
    if len(before) != len(shape):
        raise NotUnderstood(f"{pattern!r} names {len(before)} axes, the map is {shape_words(shape)}", PLAIN)
    known = given | {each: int(each.split("#")[0]) for group in before for each in group if "#" in each}
    for group, size in zip(before, shape, strict=True):
        missing = [each for each in group if each not in known]
        rest = prod(known[each] for each in group if each in known)
        if len(missing) > 1 or rest < 1 or size % rest or (not missing and rest != size):
            words = f"{' '.join(group) or '1'} in {pattern!r} does not fit the axis of {size}"
            raise NotUnderstood(f"{words} in {shape_words(shape)}", PLAIN)
        known |= dict.fromkeys(missing, size // rest)
    return known


def _pooled(
    graph: Graph, values: Tensor, before: Sides, gone: set[str], known: dict[str, int], how: Value, pattern: str
) -> tuple[Tensor, Sides]:
    """The map without the axes that a mean or a maximum is taken over, and the names that are left."""
    if how not in ("mean", "max"):
        raise NotUnderstood(f"reduce with {how!r}: the lab has the mean and the maximum", "write 'mean' or 'max'")
    whole = [at for at, group in enumerate(before) if group and {each for each in group if known[each] != 1} <= gone]
    whole = [at for at in whole if any(each in gone for each in before[at])]
    left = [[each for each in group if each not in gone] for group in before]
    if len(whole) and {each for at in whole for each in before[at]} >= gone:
        kept = graph.pool_all(values, tuple(whole), True, largest=how == "max")
        return kept, left
    windows = [prod(known[each] for each in group if each in gone) for group in before[2:]]
    inner_last = all(group[: len(kept)] == kept for group, kept in zip(before, left, strict=True))
    if len(before) == 4 and inner_last and len(set(windows)) == 1 and not gone & {*before[0], *before[1]}:
        size = windows[0]
        return graph.apply(spec.MaxPool(size) if how == "max" else spec.AvgPool(size), values), left
    raise NotUnderstood(f"{pattern!r} takes the {how} over axes that no op of the lab pools", PLAIN)
