"""Lineage A, Evolution: from half a million parameters to 5,340."""

from __future__ import annotations

from functools import partial

from core.architecture.spec import Architecture, AvgPool, Conv, GlobalAvgPool, MaxPool, Op
from core.ladder.blocks import END, Block, conv_bn_dropout_relu, conv_bn_relu_dropout, conv_relu, stack
from core.ladder.common import EVOLUTION_REPO, MNIST_OPS_REPO, fractions
from core.ladder.model import Claim, Erratum, FieldClaim, Lineage, Step, in_order
from core.training.recipe import Augmentation, Jitter, Recipe, ReduceLROnPlateau


def evolution_skeleton(block: Block) -> tuple[Op, ...]:
    """Lineage A's first network: wide, with a bias in every convolution."""
    ends = (*stack(block, 32, 64, 128, 256), Conv(10, 3), *END)
    return (*stack(block, 32, 64, 128), MaxPool(2), *block(16, 1), *ends)


def evolution_narrow() -> tuple[Op, ...]:
    block = partial(conv_bn_relu_dropout, dropout=0.01, bias=True)
    ends = (*stack(block, 12, 16, 20, 20), Conv(10, 3), *END)
    return (*stack(block, 8, 12, 16), MaxPool(2), *block(8, 1), *ends)


def evolution_final() -> tuple[Op, ...]:
    block = partial(conv_bn_dropout_relu, dropout=0.05)
    ends = (*stack(block, 10, 16, 16), AvgPool(4), Conv(10, 1, bias=False), *END)
    return (*stack(block, 10, 10, 10, 10), MaxPool(2), *ends)


def evolution_step4() -> tuple[Op, ...]:
    block = partial(conv_bn_relu_dropout, dropout=0.03)
    ends = (*stack(block, 10, 10, 10), Conv(10, 5, bias=False), *END)
    return (*stack(block, 10, 10, 15), MaxPool(2), *block(10, 1), *ends)


def evolution_dilation() -> tuple[Op, ...]:
    """`evolution_step4` with its last three blocks dilated, and a global average in place of the 5 x 5 convolution."""
    block = partial(conv_bn_relu_dropout, dropout=0.03)
    dilated = partial(block, padding=1, dilation=2)
    return (*stack(block, 10, 10, 15), MaxPool(2), *block(10, 1), *stack(dilated, 10, 10, 10), GlobalAvgPool(), *END)


PERSPECTIVE_AND_ROTATION = Augmentation(
    rotation=Jitter(15), perspective=Jitter(0.2, 0.5), fill=0.0, interpolation="nearest", rule="torchvision"
)

EVOLUTION = Recipe(learning_rate=0.015, seed=5)
EVOLUTION_AUGMENTED = Recipe(learning_rate=0.015, augmentation=PERSPECTIVE_AND_ROTATION, seed=5)
EVOLUTION_PLATEAU = Recipe(
    learning_rate=0.10080224034423935,
    schedule=ReduceLROnPlateau(factor=0.1, patience=2, threshold=0.01, min_lr=1e-4, monitor="test"),
    augmentation=PERSPECTIVE_AND_ROTATION,
    seed=5,
)
EVOLUTION_IMPATIENT = Recipe(
    learning_rate=0.10470379786343671,
    schedule=ReduceLROnPlateau(factor=0.1, patience=1, threshold=0.01, min_lr=1e-4, monitor="test"),
    augmentation=PERSPECTIVE_AND_ROTATION,
    seed=5,
)

CHOSEN_ON_TEST = Erratum(
    "The learning rate falls on a plateau, and the best model is kept.",
    "The loss that drives ReduceLROnPlateau is the test set's, and the test accuracy picks the checkpoint: both the "
    "learning rate and the weights are chosen on the images that are then reported.",
)
FILL_BY_MEAN = Erratum(
    "Rotation fills the corners with the data set's mean grey.",
    "The mean is 0.13 and the fill of a grey image is a whole number from 0 to 255: int(0.13) is 0, plain black.",
)
FINDER_AT_ITS_START = Erratum(
    "The learning-rate finder found 0.1008 (A2) and 0.1047 (A3).",
    "It did not search far. The sweep begins at 0.1, the tool skips its first ten points, and the suggestions stand at "
    "index 12 of 4,500 and 23 of 1,500: the start value, a few iterations on. A rerun suggested index 25.",
)


# The log that A2's write-up prints. It belongs to x-evolution-step4-7840.
STEP4_TRAIN = fractions("92.77 96.95 97.26 97.59 97.78 97.84 97.96 98.06 98.02 98.44 98.52 98.66 98.56 98.61 98.56")
STEP4_TEST = fractions("98.22 98.58 98.89 98.97 98.95 99.18 98.96 99.20 99.25 99.36 99.39 99.48 99.43 99.41 99.38")

LINEAGE = Lineage(
    "a",
    "Evolution",
    "From half a million parameters to five thousand: first a skeleton that overfits, then regularisation and a "
    "plateau schedule, then dilation.",
    f"{EVOLUTION_REPO}, Best_way_model_building",
    (
        Erratum(
            "Images are normalised by the mean and standard deviation of all 70,000 images.",
            "That lets the test images into the preparation. They give 0.130925 and 0.308449, the 60,000 training "
            "images 0.1307 and 0.3081; the lab uses the latter. The difference is without consequence, the habit "
            "is not.",
        ),
        Erratum(
            "The seed is 5.",
            "5 fixes the first weights; the class that loads the data then seeds torch anew with 43, so the order "
            "of the images comes from there. The lab has one seed for both.",
        ),
        Erratum(
            "A calculator of the project's own gives the receptive fields.",
            "It reads the printed model: it ignores dilation, average pooling and offsets, takes an adaptive "
            "pool's output size for its kernel, and reads one-digit kernels only. By its rules A2 sees 22 pixels "
            "(right: 28), A3 20 (40), B3 and B4 20 (28), C2 to C6 22 (28).",
        ),
    ),
)

STEPS: tuple[Step, ...] = in_order(
    LINEAGE,
    Step(
        slug="a1-skeleton-509946",
        title="Skeleton",
        architecture=Architecture("A1 skeleton", evolution_skeleton(partial(conv_relu, bias=True))),
        recipe=EVOLUTION,
        claim=Claim(
            0.9987,
            0.9912,
            12,
            fractions("66.11 97.69 98.47 98.87 99.18 99.35 99.49 99.52 99.61 99.68 99.72 99.81 99.77 99.87 99.87"),
            fractions("97.42 98.46 98.70 98.87 98.90 98.66 98.79 98.99 99.09 99.08 98.84 98.95 99.12 99.01 99.10"),
        ),
        source=f"{EVOLUTION_REPO}, Best_way_model_building/Step1_Make_setup_correct",
        target="Make everything run from image to loss, with shapes that fit and a last unit that sees the whole "
        "digit.",
        result="It learns at once and then stalls: the training curve climbs to the ceiling, the test curve wavers "
        "just below and above 99%.",
        analysis="The gap opens after four epochs and never closes: this is overfitting. Half a million parameters "
        "with nothing to restrain them can afford to memorise.",
        errata=(
            Erratum(
                "The configuration chooses the loss, and holds the learning rate, a schedule and a range test.",
                "None of these is in force: training always uses the negative log-likelihood, the rate 0.015 is "
                "written into the code, and start_lr, end_lr, lr_iter and scheduler_type belong to parts that are "
                "switched off.",
            ),
            Erratum(
                "The best model is saved.",
                "A checkpoint is written from 99.3% on, which this network never reaches: nothing was saved.",
            ),
        ),
    ),
    Step(
        slug="a2-final-7758",
        title="Batch norm, dropout, plateau",
        architecture=Architecture("A2 final", evolution_final()),
        recipe=EVOLUTION_PLATEAU,
        claim=Claim(
            0.9866,
            0.9948,
            11,
            STEP4_TRAIN,
            STEP4_TEST,
            "The claim as it was written. Its log is that of the 7,840 network, x-evolution-step4-7840; this "
            "network's own best was 99.49%, at epoch 18 of 20, with another recipe.",
        ),
        source=f"{MNIST_OPS_REPO}, model.py; recipe and log: {EVOLUTION_REPO}, "
        "Best_way_model_building/Step4_Making_the_Final_Model",
        change="Narrow layers without bias, batch norm, dropout, an average pool before the last layer, random "
        "perspective and rotation, and a learning rate that falls on a plateau.",
        target="99.4% in fewer than 20 epochs with fewer than 10,000 parameters.",
        result="The printed log passes the target at epoch 11 and is below it again at the end; it is another "
        "network's.",
        analysis="In that log the jump comes right after epoch 8, where the rate is cut to a tenth: a large rate "
        "finds the region, a small one settles in it. Train stays below test because the training images are "
        "distorted and dropout is on.",
        confounded="Width, depth, batch norm, dropout, the head, augmentation, learning rate and schedule all change "
        "between A1 and this network. Two networks lie between: x-evolution-step2-511386 and x-evolution-step3-14010.",
        errata=(
            Erratum(
                "A network of 7,758 parameters reached 99.48% at epoch 11.",
                "The summary and the log are of different networks. The log, and the receptive-field table with its 1 "
                "x 1 and 5 x 5 rows, belong to one of 7,840 parameters. The 7,758 network reached 99.49% at epoch 18 "
                "of 20, with a constant learning rate of 0.02235.",
            ),
            Erratum(
                "Beside the code, the field is 18 after the pool, then 20, 22, 24 for conv5 to conv7, and 24 at the "
                "end.",
                "10 after the pool, then 14, 18, 22, and 28. A 2 x 2 pool adds one jump, it does not double the size; "
                "and after it each 3 x 3 convolution adds 4, for the jump is 2.",
            ),
            Erratum(
                "The log prints 'Target achieved' at 99.36% and 99.39%.",
                "The stated target is 99.4%; the message goes by the checkpoint's threshold of 99.3%.",
            ),
            Erratum(
                "Resize interpolates by nearest neighbour.",
                "Nearest is the argument of RandomPerspective. Resizing 28 x 28 to 28 x 28 does nothing.",
            ),
            FILL_BY_MEAN,
            FINDER_AT_ITS_START,
            CHOSEN_ON_TEST,
            Erratum(
                "A later revision reaches 98.68%.",
                "It rotates and rescales the test images too. That measures another, harder task and cannot be "
                "compared.",
            ),
            Erratum(
                "The automatic check reports a test loss of 0.0016.",
                "A mean over the images that was divided by their number once more.",
            ),
        ),
        field_claims=(
            FieldClaim("maxpool1", size=18),
            FieldClaim("conv5", size=20),
            FieldClaim("conv6", size=22),
            FieldClaim("conv7", size=24),
            FieldClaim("conv8", size=24),
        ),
    ),
    Step(
        slug="a3-dilation-5340",
        title="Dilation",
        architecture=Architecture("A3 dilation", evolution_dilation()),
        recipe=EVOLUTION_IMPATIENT,
        claim=Claim(
            0.9862,
            0.9955,
            12,
            fractions("93.73 97.16 97.56 97.83 97.93 98.07 98.09 98.23 98.25 98.48 98.57 98.59 98.57 98.61 98.62"),
            fractions("98.44 98.68 98.84 99.13 99.30 99.34 99.32 99.29 99.27 99.46 99.47 99.53 99.55 99.55 99.55"),
            "Two more runs of the same network: 99.51% with patience 2, identical up to epoch 8, and 99.48% on "
            "another machine.",
        ),
        source=f"{EVOLUTION_REPO}, Best_way_model_building/Step6_Making_the_Final_Model_P_reduce",
        change="The last three 3 x 3 convolutions are dilated by 2, and a global average takes the place of the last "
        "layers.",
        target="More accuracy from fewer parameters, by letting the last units see more than the image.",
        result="The target is met from epoch 9 to the end with two thirds of the parameters allowed; 45 test digits "
        "stay wrong.",
        analysis="Spreading a kernel's nine weights over 5 x 5 widens the field for free, and the average in place of "
        "a 5 x 5 convolution saves 2,500 parameters. How much each of them helps, these runs do not tell. A patience "
        "of 1 instead of 2 cuts the rate after epoch 8: 99.55% against 99.51%, one run each. Two runs of one recipe, "
        "99.55% and 99.48%, lie further apart. The clean comparison has more seeds.",
        confounded="A2's printed log is another network's. Against that one, x-evolution-step4-7840, dilation and the "
        "global average come together, with a slightly different learning rate and a patience of 1 instead of 2.",
        errata=(
            Erratum(
                "The field is 15 after the pool and conv4, then 19, 27 and 35 for the dilated layers, and 67 at the "
                "end.",
                "8 after the pool and conv4, then 16, 24, 32, and 40. The pool adds one jump, which is 1; the table "
                "adds 8. After it the jump is 2, so each dilated layer adds (3 - 1) x 2 x 2 = 8. The table adds 4 at "
                "conv5, where the jump is missing, and does add 8 at conv6 and conv7. The average adds (5 - 1) x 2 = "
                "8; for 67 the write-up has no derivation.",
            ),
            Erratum(
                "Padding keeps the dilated layers' maps 11 wide, and the last pool's kernel is 11.",
                "Padding 1 is too little for dilation 2, which needs 2: the maps are 9, 7 and 5 wide, and the pool "
                "averages 5 x 5.",
            ),
            Erratum(
                "99.55% in the 12th iteration.",
                "At epoch 12 counted from 0, the 13th pass over the data. An iteration is one update of the weights, "
                "of which an epoch has 469.",
            ),
            Erratum(
                "The network puts out logits.",
                "It puts out log-probabilities. And since ReLU and dropout stand right before the average, no class "
                "score is ever negative: the network can argue for a digit, not against one.",
            ),
            Erratum(
                "610 training digits are wrong.",
                "They were counted on randomly distorted images, so the number changes from count to count and cannot "
                "be set beside the 45 of the test set.",
            ),
            Erratum(
                "The recipe gives 99.55%.",
                "A second run of the same recipe gave 99.48%. Seven images of ten thousand are what chance does.",
            ),
            FILL_BY_MEAN,
            FINDER_AT_ITS_START,
            CHOSEN_ON_TEST,
        ),
        field_claims=(
            FieldClaim("maxpool1", size=15),
            FieldClaim("conv4", size=15),
            FieldClaim("conv5", size=19, width=11),
            FieldClaim("conv6", size=27, width=11),
            FieldClaim("conv7", size=35, width=11),
            FieldClaim("globalavgpool1", size=67, kernel_size=11),
        ),
    ),
)
