"""Steps with one thing changed, and the pairs that are worth comparing."""

from __future__ import annotations

from dataclasses import replace

from core.architecture.spec import Architecture, AvgPool, BatchNorm, Conv, GroupNorm, Op, Residual
from core.architecture.trace import trace
from core.ladder.blocks import conv_relu
from core.ladder.catalogue import by_slug
from core.ladder.evolution import EVOLUTION_IMPATIENT, EVOLUTION_PLATEAU
from core.ladder.model import CleanComparison, Step, Variant
from core.ladder.ours import three_and_three
from core.ladder.six_models import six_models_skeleton
from core.training.recipe import ReduceLROnPlateau


def _varied(of: str, name: str, title: str, **recipe: object) -> Variant:
    """The step with another recipe."""
    step = by_slug(of)
    changed = replace(step.recipe, **recipe)  # type: ignore[arg-type]
    return Variant(
        name=name, of=of, title=title, architecture=step.architecture, recipe=changed,
        measured_with_warm_up=step.measured_with_warm_up,
    )  # fmt: skip


def _with_norm(step: Step, name: str, title: str, channels_of_group: int) -> Variant:
    """The step with group norm in place of each batch norm, with as many parameters; 0: one group of all channels."""
    ops = tuple(
        GroupNorm(layer.input[0] // channels_of_group if channels_of_group else 1)
        if isinstance(layer.op, BatchNorm)
        else layer.op
        for layer in trace(step.architecture).layers
    )
    return Variant(name=name, of=step.slug, title=title, architecture=Architecture(title, ops), recipe=step.recipe)


def _with_a_skip(ops: tuple[Op, ...]) -> tuple[Op, ...]:
    """The last 3 x 3 convolution with its norm and ReLU as the body of a Residual.

    The convolution pads nothing, so its output is two pixels smaller than its input; an average over 3 x 3 makes the
    shortcut as small, and has no parameters either.
    """
    last = max(index for index, op in enumerate(ops) if isinstance(op, Conv) and op.kernel_size == 3)
    return (*ops[:last], Residual(ops[last : last + 3], (AvgPool(3, stride=1),)), *ops[last + 3 :])


def variants() -> tuple[Variant, ...]:
    """What the clean comparisons need besides the steps."""
    patient = EVOLUTION_PLATEAU.schedule
    impatient = EVOLUTION_IMPATIENT.schedule
    assert isinstance(impatient, ReduceLROnPlateau)
    c3 = by_slug("c3-batchnorm-7448")
    return (
        _varied("a3-dilation-5340", "a3-patience-2", "A3 with a patience of 2", schedule=patient),
        _varied(
            "a3-dilation-5340", "a3-held-out-test", "A3, 5,000 held out, rate by the test loss", validation_size=5000
        ),
        _varied(
            "a3-dilation-5340",
            "a3-held-out-validation",
            "A3, 5,000 held out, rate by their loss",
            validation_size=5000,
            schedule=replace(impatient, monitor="validation"),
        ),
        _varied("b4-rotation-7852", "b4-batch-128", "B4 with batches of 128", batch_size=128),
        Variant(
            name="c3-without-batchnorm",
            of="c3-batchnorm-7448",
            title="C3 without batch norm",
            architecture=Architecture("C3 without batch norm", six_models_skeleton(conv_relu)),
            recipe=c3.recipe,
        ),
        _with_norm(c3, "c3-group-norm", "C3 with group norm, 4 channels a group", 4),
        _with_norm(c3, "c3-layer-norm", "C3 with layer norm, one group of all channels", 0),
        Variant(
            name="c3-with-a-skip",
            of=c3.slug,
            title="C3 with a skip connection over its last 3 x 3 convolution",
            architecture=Architecture("C3 with a skip", _with_a_skip(c3.architecture.ops)),
            recipe=c3.recipe,
        ),
        Variant(
            name="half-3962-by-sgd",
            of="d3-averaged-7448",
            title="Six convolutions, none dilated, by SGD",
            architecture=Architecture("D4 half", three_and_three(8, 10)),
            recipe=by_slug("d3-averaged-7448").recipe,
            measured_with_warm_up=False,
        ),
        _varied("d7-half-3730", "half-3730-short", "D7 with the shorter average", ema_decay=0.99),
        replace(
            _varied("d8-third-2495", "third-2495-warm-up", "D8 with the warm-up of the average"),
            measured_with_warm_up=True,
        ),
        _varied("d8-third-2495", "third-2495-short", "D8 with the shorter average", ema_decay=0.99),
        _varied(
            "d16-smooth-2495",
            "smooth-2495-line",
            "D16 with D11's recipe",
            schedule=by_slug("d11-blurred-2495").recipe.schedule,
            plain_epochs=by_slug("d11-blurred-2495").recipe.plain_epochs,
        ),
        _varied(
            "c5-rotation-7448", "c5-steplr", "C5 with C6's schedule", schedule=by_slug("c6-steplr-7416").recipe.schedule
        ),
    )


CLEAN_COMPARISONS: tuple[CleanComparison, ...] = (
    CleanComparison("a3-dilation-5340", "Is a patience of 1 better than 2?", "a3-patience-2", "a3-dilation-5340"),
    CleanComparison(
        "a3-dilation-5340",
        "Does a rate that falls by the test loss flatter the test figure?",
        "a3-held-out-validation",
        "a3-held-out-test",
    ),
    CleanComparison("b4-rotation-7852", "Are batches of 64 better than of 128?", "b4-batch-128", "b4-rotation-7852"),
    CleanComparison("c3-batchnorm-7448", "What does ReLU alone give?", "c2-skeleton-7272", "c3-without-batchnorm"),
    CleanComparison(
        "c3-batchnorm-7448", "What does batch norm give, with ReLU there?", "c3-without-batchnorm", "c3-batchnorm-7448"
    ),
    CleanComparison("c4-dropout-7448", "What does dropout of 0.1 give?", "c3-batchnorm-7448", "c4-dropout-7448"),
    CleanComparison("c5-rotation-7448", "What does rotation give?", "c4-dropout-7448", "c5-rotation-7448"),
    CleanComparison("c6-steplr-7416", "What does the schedule alone give?", "c5-rotation-7448", "c5-steplr"),
    CleanComparison("c6-steplr-7416", "What does the rest of C6 give?", "c5-steplr", "c6-steplr-7416"),
    CleanComparison(
        "d1-falling-7448",
        "What do a higher rate, its fall to zero and Nesterov's momentum give together?",
        "c3-batchnorm-7448",
        "d1-falling-7448",
    ),
    CleanComparison(
        "d2-augmented-7448", "What does a little augmentation give?", "d1-falling-7448", "d2-augmented-7448"
    ),
    CleanComparison("d3-averaged-7448", "What do averaged weights give?", "d2-augmented-7448", "d3-averaged-7448"),
    CleanComparison(
        "d4-adam-7448", "Is Adam with a rate of 0.01 better than SGD with 0.1?", "d3-averaged-7448", "d4-adam-7448"
    ),
    CleanComparison("d5-dilated-7784", "Is the deeper, dilated network better?", "d4-adam-7448", "d5-dilated-7784"),
    CleanComparison("d6-steadier-7784", "What does a longer average give?", "d5-dilated-7784", "d6-steadier-7784"),
    CleanComparison("d7-half-3730", "What does half of the parameters cost?", "d7-half-3730", "d6-steadier-7784"),
    CleanComparison("d7-half-3730", "What does the longer average give here?", "half-3730-short", "d7-half-3730"),
    CleanComparison(
        "d7-half-3730",
        "Before Adam and dilation, what did another network of half the size cost?",
        "half-3962-by-sgd",
        "d3-averaged-7448",
    ),
    CleanComparison("d8-third-2495", "And a third fewer again, with one layer less?", "d8-third-2495", "d7-half-3730"),
    CleanComparison("d8-third-2495", "What does the longer average give here?", "third-2495-short", "d8-third-2495"),
    CleanComparison(
        "d9-muon-2495", "Is Muon with a rate of 0.02 better than Adam with 0.01?", "third-2495-warm-up", "d9-muon-2495"
    ),
    CleanComparison(
        "d10-plain-end-2495",
        "What do three last epochs without augmentation give?",
        "d9-muon-2495",
        "d10-plain-end-2495",
    ),
    CleanComparison(
        "d11-blurred-2495", "Is a blurred pool better than a max pool?", "d10-plain-end-2495", "d11-blurred-2495"
    ),
    CleanComparison("d12-moved-2495", "What does more augmentation give?", "d11-blurred-2495", "d12-moved-2495"),
    CleanComparison(
        "d13-wider-3969",
        "What do 1,474 more parameters give, in wider layers and one more?",
        "d12-moved-2495",
        "d13-wider-3969",
    ),
    CleanComparison("d14-whole-7784", "What does twice the parameters give?", "d13-wider-3969", "d14-whole-7784"),
    CleanComparison(
        "d15-thousand-967",
        "What does a network of 967 parameters lose, with other layers?",
        "d15-thousand-967",
        "d12-moved-2495",
    ),
    CleanComparison("d16-smooth-2495", "What does GELU give in place of ReLU?", "d11-blurred-2495", "smooth-2495-line"),
    CleanComparison(
        "d16-smooth-2495",
        "What do GELU in place of ReLU, a cosine schedule, and four last epochs without augmentation in place of three "
        "give together?",
        "d11-blurred-2495",
        "d16-smooth-2495",
    ),
    CleanComparison(
        "d17-smooth-3969",
        "With 3,969 parameters, what do GELU, a cosine schedule, less augmentation, and four last epochs without it in "
        "place of three give together?",
        "d13-wider-3969",
        "d17-smooth-3969",
    ),
)
