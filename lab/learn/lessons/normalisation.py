"""Normalisation: what is averaged over in batch, layer and group norm, and what the runs say about the three."""

from __future__ import annotations

from math import prod

from core.architecture.sizes import shape_words
from core.architecture.spec import BatchNorm
from lab.learn.lessons.claims import HOW_FAR_APART, comparison, concluded
from lab.learn.lessons.facts import first, step, walked
from lab.learn.lessons.scene import Check, Comparisons, Layers, Lesson, NormMaps, Pair, Scene, Slip, Way

C2, C3 = "c2-skeleton-7272", "c3-batchnorm-7448"
WITHOUT, GROUP, LAYER = "c3-without-batchnorm", "c3-group-norm", "c3-layer-norm"
ALONE, BY_GROUPS, BY_LAYER = Pair(WITHOUT, C3), Pair(C3, GROUP), Pair(C3, LAYER)
GROUP_OF = 4  # channels, in C3 with group norm


def _map() -> tuple[int, ...]:
    """The shape of what C3's first norm is given, for one image."""
    return first(C3, BatchNorm).input


def _batch() -> int:
    return step(C3).recipe.batch_size


def _averaged(images: int, channels: int) -> int:
    return images * channels * prod(_map()[1:])


def _norm_parameters() -> int:
    return sum(layer.parameters for layer in walked(C3).layers if isinstance(layer.op, BatchNorm))


LESSON = Lesson(
    "normalisation",
    "Normalisation: averaged over what?",
    "See which values batch, layer and group norm average, count them, and read what the runs say about each.",
    20,
    (
        Scene(
            "explain",
            "One scale for all values",
            "A **norm** subtracts the mean of some values and divides by their standard deviation. Then they have mean "
            "0 and deviation 1. After that a learned scale and a learned shift for each channel let the network choose "
            "another mean and deviation where it needs one.\n\nThe kinds of norm differ in one thing only: **which "
            "values share one mean**. Switch between them.",
            (NormMaps(C3, "conv1"),),
        ),
        Scene(
            "predict",
            "Batch norm",
            lambda: (
                f"C3 trains with batches of {_batch()} images. After its first convolution each image is a map of "
                f"{shape_words(_map())}. **Batch norm** averages one channel of all images of the batch."
            ),
            check=Check(
                "How many values share one mean?",
                lambda: _averaged(_batch(), 1),
                lambda: f"{_batch()} x {_map()[1]} x {_map()[2]} = {_averaged(_batch(), 1):,}.",
                hint="Images times the places of one channel.",
                slips=(
                    Slip(lambda: _averaged(1, 1), "That is one image. Batch norm averages over the whole batch."),
                    Slip(lambda: _averaged(_batch(), _map()[0]), "Each channel has a mean of its own."),
                ),
            ),
        ),
        Scene(
            "predict",
            "Layer norm and group norm",
            lambda: (
                f"**Layer norm** averages all channels of one image, **group norm** a group of channels of one image. "
                f"The map is {shape_words(_map())}, and a group has {GROUP_OF} channels."
            ),
            check=Check(
                "How many values share one mean in group norm?",
                lambda: _averaged(1, GROUP_OF),
                lambda: (
                    f"{GROUP_OF} x {_map()[1]} x {_map()[2]} = {_averaged(1, GROUP_OF):,}. In layer norm it is "
                    f"{_averaged(1, _map()[0]):,}, for any size of the batch."
                ),
                hint="One image, so the size of the batch does not matter.",
                slips=(
                    Slip(lambda: _averaged(1, _map()[0]), "That is layer norm: all channels."),
                    Slip(lambda: _averaged(_batch(), GROUP_OF), "Group norm looks at one image at a time."),
                ),
            ),
        ),
        Scene(
            "predict",
            "What it costs",
            "Each channel has a learned scale and a learned shift, in batch norm as in group norm.",
            (Layers(C2),),
            Check(
                "C3 is this network with batch norm after each convolution but the last, which gives the scores. How "
                "many parameters do its norms add?",
                _norm_parameters,
                lambda: (
                    "Twice the channels of each, "
                    + " + ".join(
                        f"{layer.parameters}" for layer in walked(C3).layers if isinstance(layer.op, BatchNorm)
                    )
                    + f" = {_norm_parameters()}."
                ),
                hint="Two for each output channel of each convolution but the last.",
                slips=(Slip(lambda: _norm_parameters() / 2, "A scale **and** a shift."),),
            ),
        ),
        Scene(
            "explain",
            "And when there is no batch?",
            "When the network reads a single digit there is no batch. So batch norm keeps a **running mean** and a "
            "running variance of each channel while it trains, and uses these afterwards: the same digit always gets "
            "the same answer.\n\nLayer norm and group norm compute the mean of the image itself, in training and "
            "afterwards alike. They do not depend on the size of the batch. That is why they are used where a batch "
            "has only a few images.",
        ),
        Scene(
            "predict",
            "Does batch norm help C3?",
            lambda: (
                f"C3 with batch norm, and without it: the same layers and the same recipe, {step(C3).recipe.epochs} "
                "epochs. One thing changes."
            ),
            check=comparison(
                "With batch norm the **test** accuracy, after the last epoch, is ...",
                ALONE,
                better="higher",
                worse="lower",
                hint=HOW_FAR_APART,
            ),
        ),
        Scene(
            "predict",
            "Group norm in its place",
            lambda: (
                f"C3 with group norm, {GROUP_OF} channels a group, in place of each batch norm: as many parameters, "
                "the same recipe."
            ),
            check=comparison(
                "With group norm the **test** accuracy, after the last epoch, is ...",
                BY_GROUPS,
                better="higher",
                worse="lower",
                hint=HOW_FAR_APART,
            ),
        ),
        Scene(
            "observe",
            "What the runs say",
            lambda: (
                f"Batch norm against none: {concluded(ALONE)}\n\nGroup norm against batch norm: "
                f"{concluded(BY_GROUPS)}\n\nLayer norm against batch norm: {concluded(BY_LAYER)}\n\nAll of this is "
                "for one network, one recipe and batches of one size. Change one of them, and ask again."
            ),
            (
                Comparisons(C3),
                Way("pages/experiment/design.py", "Design C3 with another norm", (("from", C3),)),
            ),
        ),
    ),
)
