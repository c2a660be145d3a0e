"""What a network may cost before the lab builds it for a page: as a file, or to follow a gradient through it.

A design of a few hundred bytes can ask for more than a server has, so the sums are done first, and without torch.
`core.trace` has limits of its own, far out; these are the ones that whoever runs the lab has set.
"""

from __future__ import annotations

from core.errors import SpecError
from core.spec import Architecture, Conv
from core.trace import BYTES_PER_VALUE, Layer, Trace, trace
from lab.settings import Settings, settings

GRADIENT_COST = 30.0  # of the effective field beside a forward pass: up to 16 channels are followed back, at twice that
THIN = 4.0  # a convolution of so many channels takes twice as long for each MAC as one of very many
MAP_COST = 500.0  # of a value in a map: on each way back it is written and read, and memory is slower than sums
MOST_FIELD_COST = 2.8e10  # multiply-adds and values read in all: about a second of one idle core
MOST_FIELD_BYTES = 60e6  # of all maps of all images, which wait for the gradient
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
    """Over how many images the effective field is taken: as many as two seconds allow, 1 to FIELD_IMAGES."""
    values = max(1.0, walked.activation_bytes / BYTES_PER_VALUE)
    sums = sum(layer.macs * (1 + THIN / _channels(layer)) for layer in walked.layers) + walked.pool_reads
    cost = GRADIENT_COST * sums + MAP_COST * values
    fitting = min(MOST_FIELD_COST / cost, MOST_FIELD_BYTES / (BYTES_PER_VALUE * values))
    return max(1, min(FIELD_IMAGES, int(fitting)))


def _channels(layer: Layer) -> int:
    """Input channels that a unit of the layer looks at."""
    return max(1, layer.input[0] // (layer.op.groups if isinstance(layer.op, Conv) else 1))
