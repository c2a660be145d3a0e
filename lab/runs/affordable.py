"""What a network may cost before the lab builds it for a page: as a file, or to follow a gradient through it.

A design of a few hundred bytes can ask for more than a server has, so the sums are done first, and without torch.
`core.architecture.trace` has limits of its own, far out; these are the lab's own settings.
"""

from __future__ import annotations

from core.architecture.spec import Architecture, Conv
from core.architecture.trace import BYTES_PER_VALUE, Layer, Trace, trace
from core.errors import SpecError
from lab.settings import Settings, settings

GRADIENT_COST = 30.0  # of the effective field beside a forward pass: up to 16 channels are followed back, at twice that
THIN = 4.0  # from or to so many channels, a convolution takes twice as long for each MAC as with very many
MAP_COST = 500.0  # of a value in a map: on each way back it is written and read, and memory is slower than sums
MAX_FIELD_COST = 2.8e10  # multiply-adds and values read in all: about a second of one idle core
MAX_FIELD_BYTES = 60e6  # of all maps of all images, which wait for the gradient
FIELD_IMAGES = 100


def affordable(architecture: Architecture, limits: Settings | None = None) -> Trace:
    """The trace of a network that may be built here. Raises SpecError, with both numbers, for one that is too much."""
    limits = limits or settings()
    walked = trace(architecture)
    for figure, most, words in (
        (walked.parameters, limits.most_parameters, "has {} parameters"),
        (walked.macs, limits.most_macs, "takes {} MACs for one image"),
        (walked.pool_reads, limits.most_macs, "has pools that read {} values of one image"),
    ):
        if figure > most:
            raise SpecError(f"the network {words.format(f'{figure:,}')}, at most {most:,} are allowed on this server")
    return walked


def field_images(walked: Trace) -> int:
    """Over how many images the effective field is taken: as many as two seconds allow, 1 to FIELD_IMAGES.

    Raises SpecError, with both numbers, where that is not one.
    """
    values = max(1.0, walked.activation_bytes / BYTES_PER_VALUE)
    cost = (
        GRADIENT_COST * (sum(_sums(layer) for layer in walked.every_layer if not layer.branches) + walked.pool_reads)
        + MAP_COST * values
    )
    if cost > MAX_FIELD_COST:
        raise SpecError(
            f"following a gradient through the network takes the time of {cost:,.0f} MACs for one image, at most "
            f"{MAX_FIELD_COST:,.0f} are allowed on this server"
        )
    fitting = min(MAX_FIELD_COST / cost, MAX_FIELD_BYTES / (BYTES_PER_VALUE * values))
    return max(1, min(FIELD_IMAGES, int(fitting)))


def _sums(layer: Layer) -> float:
    """The layer's MACs, as much more as they take longer where it is thin."""
    groups = layer.op.groups if isinstance(layer.op, Conv) else 1
    into, out = (max(1, channels // groups) for channels in (layer.input[0], layer.output[0]))
    return layer.macs * (1 + THIN / into) * (1 + THIN / out)
