"""Changes of what a design can learn: activations, batch norm, wider layers, less dropout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from core.advice.remedies.cost import without_bias
from core.advice.remedies.ops import Remedy, listed, outputs_of, with_outputs
from core.architecture.edit import insert, with_ops
from core.architecture.spec import Architecture, BatchNorm, Conv, Dropout, Dropout2d, Norm, ReLU
from core.architecture.trace import Trace

USUAL_WIDTHS = (8, 6, 4)  # channels for a layer that has only one to three; the best first


def normed(walked: Trace, indices: list[int]) -> Iterator[Remedy]:
    """Batch norm right after each of those convolutions, which then need no bias."""
    changed = without_bias(walked.architecture, indices)
    for index in reversed(indices):
        changed = insert(changed, index + 1, BatchNorm())
    biased = any(isinstance(op := walked.architecture.ops[index], Conv) and op.bias for index in indices)
    label = f"Put BatchNorm after {'it' if len(indices) == 1 else f'these {len(indices)}'}"
    yield label + (", without their bias" if biased else ""), changed


def widened(walked: Trace, indices: list[int]) -> Iterator[Remedy]:
    """More outputs for those layers."""
    for width in USUAL_WIDTHS:
        found = with_outputs(walked.architecture, dict.fromkeys(indices, width))
        yield f"Set {listed(indices)} to {outputs_of(found.ops[indices[0]])} outputs", found


def with_activations(architecture: Architecture, pairs: list[tuple[int, int]]) -> Iterator[Remedy]:
    """A ReLU after the first layer of each pair, and after its batch norm if it has one."""
    changed = architecture
    for first, _ in reversed(pairs):
        normed = first + 1 < len(changed.ops) and isinstance(changed.ops[first + 1], Norm)
        changed = insert(changed, first + 1 + normed, ReLU())
    yield "Put a ReLU between" if len(pairs) == 1 else f"Put {len(pairs)} ReLUs between", changed


def less_dropout(walked: Trace, indices: Iterable[int], p: float) -> Iterator[Remedy]:
    """Those dropouts with the probability p."""
    ops = walked.architecture.ops
    less = {index: replace(op, p=p) for index in indices if isinstance(op := ops[index], Dropout | Dropout2d)}
    yield f"Set p to {p:g}", with_ops(walked.architecture, dict(less))


def mixed(walked: Trace, index: int, channels: int) -> Iterator[Remedy]:
    """A 1 x 1 convolution before op `index`, which mixes the groups."""
    yield (
        f"Put Conv({channels}, 1) before op {index}",
        insert(walked.architecture, index, Conv(channels, 1, bias=False)),
    )
