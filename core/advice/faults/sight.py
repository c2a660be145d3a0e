"""Faults of what the units can see: receptive fields, pools, strides, padding, dilation, kernels."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from core.advice.faults.fault import (
    FEW_LAYERS,
    Fault,
    Topic,
    average_of_all,
    begin,
    named,
    no_remedy,
    price,
    single,
    weighted,
)
from core.advice.remedies.ops import listed, taken_out, without_blocks
from core.advice.remedies.sight import (
    enough_seen,
    every_place_read,
    met_weights,
    odd_kernels,
    shrinking,
    shrunk_later,
    small_kernels,
    undilated,
    wider_views,
)
from core.architecture.edit import with_ops
from core.architecture.receptive_field import Window, pixels_inside
from core.architecture.spec import AvgPool, Conv, GlobalAvgPool, GlobalMaxPool, MaxPool
from core.architecture.trace import Layer, Trace
from core.challenge import Challenge

DIGIT = 20  # pixels: the longer side of an MNIST digit, in an image of 28
LARGE_KERNEL = 7
MAX_FIELD = 4096  # pixels: a larger field is not searched pixel by pixel


def field(walked: Trace) -> list[Fault]:
    """An output should depend on the whole image, and on more than an average of small views of it."""
    size = walked.architecture.input[1]
    seen, words, index, wanted = _pixels_seen(walked), "", walked.layers[-1].index, size
    average = average_of_all(walked)
    if seen < size:
        words = (
            f"An output sees {seen} of the image's {size} pixels along a side: the rest of the image has no influence."
        )
        if average is not None and average.before.size < min(DIGIT, size):
            index = average.index
    elif average is not None and average.before.size < min(DIGIT, size):
        seen, index, wanted = average.before.size, average.index, min(DIGIT, size)
        does = "takes the largest of" if isinstance(average.op, MaxPool | GlobalMaxPool) else "averages"
        words = (
            f"{begin(named(average))} {does} units that have each seen {seen} x {seen} pixels; a digit is {DIGIT} "
            "wide. The network counts the strokes, but does not see how they are arranged."
        )
    if not words:
        return []

    brings: tuple[Topic, ...] = ("left over", "batch norm", "context")  # a block that is added has batch norm

    def told(before: Trace, after: Trace) -> str:
        return f" ({least_seen(before)} → {least_seen(after)} pixels)"

    return [Fault("field", "warning", (index,), words, partial(wider_views, walked), least_seen, wanted, told, brings)]


def _pixels_seen(walked: Trace) -> int:
    """How many pixels of the image, along one side, are in the field of an output."""
    size = walked.architecture.input[1]
    return size if walked.field.size > MAX_FIELD else pixels_inside(walked.field, 0, size)


def least_seen(walked: Trace) -> int:
    """How many pixels an output sees at least: after a global average, the field of one averaged unit."""
    average = average_of_all(walked)
    seen = _pixels_seen(walked)
    return average.before.size if average and seen >= walked.architecture.input[1] else seen


def convolution(walked: Trace) -> list[Fault]:
    """A convolution slides over the image, so that it finds a stroke at any position."""
    if any(isinstance(layer.op, Conv) and _looks(layer) for layer in walked.every_layer):
        return []
    words = (
        "No convolution goes over the image with a window of more than one pixel, so a stroke that it learns in one "
        "place is unknown in another. Begin with convolutions of 3 x 3."
    )
    return [Fault("convolution", "warning", (), words)]


def _looks(layer: Layer) -> bool:
    """Whether the layer compares neighbouring positions, and its output has more than one."""
    return layer.window.kernel_size > 1 and len(layer.output) == 3 and layer.output[1] > 1


def context(walked: Trace, challenge: Challenge) -> list[Fault]:
    """If the middle units see the whole image already, another window shows them nothing new."""
    size = walked.architecture.input[1]
    scarce = walked.parameters < challenge.few_parameters or len(weighted(walked)) < FEW_LAYERS
    if scarce or field(walked):  # there is nothing to save
        return []
    vain = [layer for layer in walked.layers if _looks(layer) and _middle_sees_all(layer, size)]
    if not vain:
        return []
    cost = sum(layer.parameters for layer in vain)
    indices = tuple(layer.index for layer in vain)
    add = "adds" if len(vain) == 1 else "add"
    words = (
        f"Before op {indices[0]} the middle unit already sees {vain[0].before.size} pixels of {size}: "
        f"{listed(indices)} {add} depth{f' for {cost:,} parameters' if cost else ''}, but nothing new for it to see."
    )
    return [Fault("context", "hint", indices, words, partial(without_blocks, walked, [*indices]))]


def _middle_sees_all(layer: Layer, size: int) -> bool:
    """Whether the middle unit of the layer's input sees every pixel."""
    if layer.before.size < size:
        return False
    return layer.before.size > MAX_FIELD or pixels_inside(layer.before, (layer.input[1] - 1) // 2, size) == size


def early_pool(walked: Trace) -> list[Fault]:
    """Shrinking the map while units see little loses detail that no layer has used yet."""
    early = [layer for layer in shrinking(walked) if _seen_to_shrink(layer) < enough_seen(layer.field.jump)]
    if not early:
        return []
    first = early[0]
    seen = _seen_to_shrink(first)
    words = (
        f"{begin(named(first))} shrinks the map from {first.input[1]} to {first.output[1]} when a unit has seen only "
        f"{seen} x {seen} pixel{'s' if seen > 1 else ''}: detail is gone before edges are put together."
    )

    def told(before: Trace, after: Trace) -> str:
        later = shrinking(after)
        now = _seen_to_shrink(later[0]) if later else 0
        return f" ({seen} → {now} pixels)" if now > seen else price(before, after)

    indices = tuple(layer.index for layer in early)
    brings: tuple[Topic, ...] = ("left over", "batch norm", "context")
    return [Fault("early pool", "warning", indices, words, partial(shrunk_later, walked), told=told, brings=brings)]


def _seen_to_shrink(layer: Layer) -> int:
    """How many pixels a unit sees when the map shrinks: with the window of a convolution, without that of a pool."""
    return layer.field.size if isinstance(layer.op, Conv) else layer.before.size


def skipped_places(walked: Trace) -> list[Fault]:
    """A stride larger than the window skips rows and columns."""
    early = {index for fault in early_pool(walked) for index in fault.ops}
    found = []
    for layer in walked.layers:
        stride, window = layer.window.stride, layer.window
        read = len({tap * window.dilation % stride for tap in range(min(window.kernel_size, stride))})
        if layer.branches or len(layer.output) < 3 or layer.output[1] < 2 or read >= stride or layer.index in early:
            continue
        words = f"{begin(named(layer))} reads {read} of every {stride} rows and columns: the others are never used."
        remedies = partial(every_place_read, walked, layer)
        found.append(Fault("skipped places", "warning", (layer.index,), words, remedies))
    return found


def left_out_edge(walked: Trace) -> list[Fault]:
    """A last pool that does not cover its map."""
    layer = average_of_all(walked)
    if layer is None or not isinstance(layer.op, AvgPool | MaxPool):
        return []
    covered = layer.window.reach + 1 - layer.window.padding
    if covered >= layer.input[1]:
        return []
    words = (
        f"{begin(named(layer))} covers {covered} x {covered} of the map's {layer.input[1]} x {layer.input[1]} places: "
        "the rest is never used."
    )
    remedies = single("Put GlobalAvgPool in its place", with_ops, walked.architecture, {layer.index: GlobalAvgPool()})
    return [Fault("left-out edge", "hint", (layer.index,), words, remedies)]


def holes(walked: Trace) -> list[Fault]:
    """Dilation skips pixels that no other layer reads."""
    if not any(layer.window.dilation > 1 for layer in walked.layers) or field(walked):
        return []
    if any(layer.branches for layer in walked.layers):
        return []  # what a body reads within its window is not known here
    average = average_of_all(walked)
    last = average.index if average else len(walked.layers)
    pixels, size = 1, 1  # a bit for each pixel that a unit reads; the pixels from the first to the last
    for layer in walked.layers[:last]:
        if layer.field.size > MAX_FIELD:
            return []
        apart, narrow = layer.window.dilation * layer.before.jump, pixels
        for _ in range(1, layer.window.kernel_size):
            pixels = narrow | pixels << apart
        size = layer.field.size
    read = pixels.bit_count()
    if read == size:
        return []
    dilated = tuple(layer.index for layer in walked.layers if layer.window.dilation > 1)
    where = f"A unit before op {average.index}" if average else "An output"
    words = (
        f"{where} spans {size} pixels along a side and reads {read} of them: the dilation of {listed(dilated)} leaves "
        "holes that no other layer fills."
    )
    return [Fault("holes", "hint", dilated, words, partial(undilated, walked))]


def late_pool(walked: Trace) -> list[Fault]:
    """After a max pool a layer should still compare neighbouring positions."""
    if field(walked):
        return []
    looking = [layer.index for layer in weighted(walked) if layer.window.kernel_size > 1 and layer.input[1:] != (1, 1)]
    late = [
        layer
        for layer in shrinking(walked)
        if isinstance(layer.op, MaxPool) and layer.window.kernel_size > 1 and looking and layer.index > looking[-1]
    ]
    if not late:
        return []
    indices = tuple(layer.index for layer in late)
    first, comes = late[0], "comes" if len(late) == 1 else "come"
    k = first.window.kernel_size
    where = begin(named(first)) if len(late) == 1 else begin(listed(indices))
    words = (
        f"{where} {comes} after the last layer that compares neighbouring places. Only one of {k} x {k} values goes "
        "on, and no layer makes use of the smaller map."
    )
    return [Fault("late pool", "hint", indices, words, partial(taken_out, walked, indices))]


def padding(walked: Trace) -> list[Fault]:
    """Padding that makes a map larger, and weights that only ever see padding."""
    found = []
    for layer in walked.layers:
        op, window = layer.op, layer.window
        if not isinstance(op, Conv) or not window.padding:
            continue
        k, size, met = window.kernel_size, layer.input[1], _met(layer)
        same = window.reach // 2
        padded = single(
            f"Set padding to {same}", with_ops, walked.architecture, {layer.index: replace(op, padding=same)}
        )
        if not met:
            words = (
                f"{begin(named(layer))} sees nothing but padding: its strides step over the map, which is {size} wide. "
                "Whatever comes later does not depend on the image."
            )
            found.append(Fault("padding", "warning", (layer.index,), words, padded))
        elif len(met) < k:
            words = (
                f"Only {len(met)} x {len(met)} of the {k} x {k} weights of {named(layer)} ever meet the map, which is "
                f"{size} wide: the others see nothing but padding."
            )
            smaller = replace(window, kernel_size=len(met), padding=window.padding - met[0] * window.dilation)
            remedies = partial(met_weights, walked, layer, smaller) if _same_places(layer, smaller) else no_remedy
            found.append(Fault("unmet weights", "hint", (layer.index,), words, remedies))
        elif 2 * window.padding > window.reach:
            words = (
                f"{begin(named(layer))} adds a border of zeros {window.padding} wide. Its window of {window.reach + 1} "
                f"needs {same} to keep the map's size: more only adds places that see hardly any of the map."
            )
            found.append(Fault("padding", "hint", (layer.index,), words, padded))
    return found


def _met(layer: Layer) -> list[int]:
    """The rows of the window that touch the map for at least one of its positions."""
    window, size, places = layer.window, layer.input[1], layer.output[1]
    met = []
    for tap in range(window.kernel_size):
        first = tap * window.dilation - window.padding
        place = (
            max(0, -(first // window.stride)) if first < 0 else 0
        )  # the first position at which it is not left of the map
        if place < places and first + place * window.stride < size:
            met.append(tap)
    return met


def _same_places(layer: Layer, smaller: Window) -> bool:
    """Whether the smaller window has as many positions, and its weights are neighbours."""
    met = _met(layer)
    if met != list(range(met[0], met[0] + len(met))) or smaller.padding < 0:
        return False
    if smaller.kernel_size == 1 and layer.output[1] == 1:
        return layer.input[1] == 1 and smaller.padding == 0
    room = layer.input[1] + 2 * smaller.padding - smaller.reach - 1
    return room >= 0 and room // smaller.stride + 1 == layer.output[1]


def even_kernel(walked: Trace) -> list[Fault]:
    """A window of odd width has a middle, and padding can keep the size of the map."""
    even = [
        layer for layer in walked.layers
        if isinstance(layer.op, Conv) and layer.window.reach % 2 and layer.window.stride == 1
        and layer.output[1] > 1 and len(_met(layer)) == layer.window.kernel_size
    ]  # fmt: skip
    if not even:
        return []
    indices = tuple(layer.index for layer in even)
    has = f"{begin(named(even[0]))} has a window" if len(even) == 1 else f"{begin(listed(indices))} have windows"
    words = (
        f"{has} of even width, without a middle: the map is half a pixel off, and the same padding on all sides cannot "
        "keep its size."
    )
    return [Fault("even kernel", "hint", indices, words, partial(odd_kernels, walked, [*indices]))]


def large_kernel(walked: Trace) -> list[Fault]:
    """Small windows one after another see as much as a large one, with fewer weights and more activations."""
    found = []
    for layer in weighted(walked):
        k, op = layer.window.kernel_size, layer.op
        if not isinstance(op, Conv) or k < LARGE_KERNEL or k % 2 == 0 or layer.output[1] == 1 or len(_met(layer)) < k:
            continue
        words = (
            f"{begin(named(layer))} has {k * k} weights for each pair of channels. {k // 2} convolutions of 3 x 3 one "
            f"after another see the same {k} x {k} places with {9 * (k // 2)}, and with an activation after each."
        )
        found.append(Fault("large kernel", "hint", (layer.index,), words, partial(small_kernels, walked, layer)))
    return found


def single_pixels(walked: Trace) -> list[Fault]:
    """A first convolution of 1 x 1 looks at no neighbour."""
    first = next(iter(weighted(walked)), None)
    if first is None or not isinstance(first.op, Conv) or first.op.kernel_size > 1:
        return []
    if first.input[0] > 1 or first.before.size > 1 or first.input[1] == 1:
        return []
    words = (
        f"{begin(named(first))} comes first and looks at single pixels: before its bias and activation each output is "
        "the image times a number."
    )
    larger = {first.index: replace(first.op, kernel_size=3)}
    remedies = single("Set its kernel to 3 x 3", with_ops, walked.architecture, larger)
    return [Fault("single pixels", "hint", (first.index,), words, remedies)]
