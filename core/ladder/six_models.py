"""Lineage C, Six models: a giant, then a small skeleton to which one idea after the other is added."""

from __future__ import annotations

from functools import partial

from core.architecture.spec import Architecture, AvgPool, Conv, MaxPool, Op
from core.ladder.blocks import (
    END,
    Block,
    conv_alone,
    conv_bn_relu,
    conv_bn_relu_dropout,
    conv_relu,
    conv_relu_bn_dropout,
    stack,
)
from core.ladder.common import AVERAGE_POOL_STRIDE, ERA_REPO, FILL_OF_ONE, PLAIN, ROTATED, fractions, rotation_and_steps
from core.ladder.model import Claim, Erratum, FieldClaim, Lineage, Step, in_order


def six_models_setup() -> tuple[Op, ...]:
    valid = partial(conv_relu, bias=True)
    padded = partial(valid, padding=1)
    ends = (*stack(valid, 512, 1024), Conv(10, 3), *END)
    return (*stack(padded, 32, 64), MaxPool(2), *stack(padded, 128, 256), MaxPool(2), *ends)


def six_models_skeleton(block: Block) -> tuple[Op, ...]:
    """Lineage C from its second model on: the block changes, widths and kernels stay."""
    ends = (*stack(block, 16, 8, 16, 16), AvgPool(4), Conv(10, 1, bias=False), *END)
    return (*stack(block, 8, 16), *block(8, 1), MaxPool(2), *ends)


def six_models_steplr() -> tuple[Op, ...]:
    block = partial(conv_relu_bn_dropout, dropout=0.1)
    ends = (*stack(block, 16, 8, 16, 16), AvgPool(4), Conv(10, 1, bias=False), *END)
    return (*conv_relu(8), *block(16), *conv_alone(8, 1), MaxPool(2), *ends)


FIELDS_OF_C2_TO_C6: tuple[FieldClaim, ...] = (
    FieldClaim("avgpool1", jump=2, stride=1),
    FieldClaim("conv8", jump=2),
)

LINEAGE = Lineage(
    "c",
    "Six models",
    "First a very large network that works, then a small skeleton that stays while batch norm, dropout, rotation and a "
    "schedule are added one after the other.",
    f"{ERA_REPO}, Session 7",
)

STEPS: tuple[Step, ...] = in_order(
    LINEAGE,
    Step(
        slug="c1-setup-6379786",
        title="Setup",
        architecture=Architecture("C1 setup", six_models_setup()),
        recipe=PLAIN,
        measured_precision="bf16",
        claim=Claim(
            0.9992,
            0.9930,
            12,
            fractions("88.10 98.41 98.92 99.21 99.46 99.55 99.67 99.75 99.75 99.84 99.86 99.88 99.90 99.92 99.87"),
            fractions("97.94 98.77 98.84 99.07 99.07 99.10 99.13 99.22 99.21 99.24 99.27 99.07 99.30 99.19 99.15"),
        ),
        source=f"{ERA_REPO}, Session 7/model.py (Model1), Session 7/S7_Model1.ipynb",
        target="Get the transforms, the data loader and the training loop to work; the size does not matter yet.",
        result="The accuracy is almost 100% on the training images, but stays at about 99.2% on the test images.",
        analysis="The network has about eight hundred times the parameters that the challenge allows, and it still "
        "does not reach the accuracy of the challenge. About three quarters of the parameters are in one layer, with "
        "512 channels in and 1,024 out.",
        errata=(
            Erratum(
                "Comments in the code say that the field is 10, 12, 14, 28, 30, 32 and 34 from the first pool on.",
                "It is 6, 10, 14, 16, 24, 32 and 40. The comments double the size at a pool and add 2 for each "
                "convolution. But a pool adds one jump, and a 3 x 3 convolution adds two jumps: 4 pixels after one "
                "pool, and 8 pixels after two. 14 and 32 are correct by chance.",
            ),
        ),
        field_claims=(
            FieldClaim("maxpool1", size=10),
            FieldClaim("conv3", size=12),
            FieldClaim("conv4", size=14),
            FieldClaim("maxpool2", size=28),
            FieldClaim("conv5", size=30),
            FieldClaim("conv6", size=32),
            FieldClaim("conv7", size=34),
        ),
    ),
    Step(
        slug="c2-skeleton-7272",
        title="Skeleton",
        architecture=Architecture("C2 skeleton", six_models_skeleton(conv_alone)),
        recipe=PLAIN,
        claim=Claim(
            0.9735,
            0.9793,
            14,
            fractions("68.55 92.35 94.79 96.00 96.41 96.67 96.95 97.02 97.09 97.25 97.34 97.31 97.35 97.48 97.59"),
            fractions("90.89 95.04 96.75 96.73 96.82 97.36 97.77 97.08 97.10 97.50 97.42 97.60 97.84 97.89 97.93"),
            "The best training accuracy in the log is 97.59%, at epoch 14; 97.35% is that of epoch 12.",
        ),
        source=f"{ERA_REPO}, Session 7/model.py (Model2), Session 7/S7_Model2.ipynb",
        change="A new network, nearly nine hundred times smaller: narrow 3 x 3 convolutions, one 1 x 1 convolution, "
        "and an average pool.",
        target="Find a skeleton with fewer than 8,000 parameters, and keep it in all later steps.",
        result="The accuracy is far below C1's on both sets of images, and both curves still rise.",
        analysis="There is no activation function anywhere. Several convolutions in a row are together one linear "
        "function, and the max pool is the only part that is not linear. The network underfits.",
        confounded="This is a completely different network: only the recipe is the same.",
        errata=(
            Erratum(
                "The network overfits a little.",
                "The training accuracy, 97.35%, is below the test accuracy, 97.93%. That is the opposite of "
                "overfitting. And the network has no activation function, which the write-up does not mention.",
            ),
            AVERAGE_POOL_STRIDE,
        ),
        field_claims=FIELDS_OF_C2_TO_C6,
    ),
    Step(
        slug="c3-batchnorm-7448",
        title="Batch norm and ReLU",
        architecture=Architecture("C3 batch norm and ReLU", six_models_skeleton(conv_bn_relu)),
        recipe=PLAIN,
        claim=Claim(
            0.9951,
            0.9930,
            13,
            fractions("88.77 98.23 98.56 98.78 98.95 99.03 99.12 99.17 99.24 99.26 99.33 99.37 99.40 99.48 99.51"),
            fractions("97.43 98.57 98.93 98.76 99.16 99.11 99.07 99.18 99.07 98.98 99.12 99.19 99.22 99.30 99.26"),
        ),
        source=f"{ERA_REPO}, Session 7/model.py (Model3), Session 7/S7_Model3.ipynb",
        change="Batch norm and ReLU after every convolution except the last.",
        target="Make the skeleton learn better with batch norm.",
        result="This is the largest gain of the ladder, for 176 parameters. The training curve begins to rise above "
        "the test curve.",
        analysis="After its second epoch it is already above C2's best. The network is not linear any more, and batch "
        "norm keeps the scale of its activations. This step cannot show which of the two gave the gain.",
        confounded="Batch norm comes together with every ReLU, and the write-up does not mention ReLU. The 176 "
        "parameters are all batch norm's; ReLU has none.",
        errata=(
            Erratum(
                "This step adds batch norm.",
                "It adds every ReLU at the same time, so the two effects cannot be told apart.",
            ),
            Erratum(
                "Even with more training, the network would not reach 99.30%.",
                "It did reach 99.30%: this is its reported best, at epoch 13.",
            ),
            AVERAGE_POOL_STRIDE,
        ),
        field_claims=FIELDS_OF_C2_TO_C6,
    ),
    Step(
        slug="c4-dropout-7448",
        title="Dropout",
        architecture=Architecture("C4 dropout", six_models_skeleton(partial(conv_bn_relu_dropout, dropout=0.1))),
        recipe=PLAIN,
        claim=Claim(
            0.9878,
            0.9901,
            12,
            fractions("83.75 96.91 97.70 98.06 98.15 98.31 98.53 98.49 98.56 98.64 98.73 98.64 98.67 98.71 98.78"),
            fractions("95.13 96.59 98.03 98.19 98.17 98.59 98.06 98.73 98.41 98.87 98.87 98.70 99.01 98.89 98.94"),
        ),
        source=f"{ERA_REPO}, Session 7/model.py (Model4), Session 7/S7_Model4.ipynb",
        change="Dropout of 0.1 after every ReLU.",
        target="Regularise, because the training curve is now above the test curve.",
        result="The gap closes because the training curve falls. Both curves are lower, and the best test accuracy is "
        "lower by 0.29 points.",
        analysis="During training, dropout sets a tenth of the values after each ReLU to zero. The training accuracy "
        "is measured with dropout on, so it falls for this reason alone. With only 7,448 parameters the network could "
        "not overfit much. The test accuracy falls too, but this is one run against one other run; the comparison "
        "below has more seeds.",
        errata=(AVERAGE_POOL_STRIDE,),
        field_claims=FIELDS_OF_C2_TO_C6,
    ),
    Step(
        slug="c5-rotation-7448",
        title="Rotation",
        architecture=Architecture("C5 rotation", six_models_skeleton(partial(conv_bn_relu_dropout, dropout=0.1))),
        recipe=ROTATED,
        claim=Claim(
            0.9861,
            0.9907,
            14,
            fractions("82.93 96.76 97.41 97.75 97.95 98.15 98.26 98.21 98.41 98.39 98.53 98.47 98.50 98.61 98.60"),
            fractions("96.52 97.64 98.12 98.28 98.42 98.67 98.76 98.92 98.78 98.66 99.01 98.80 99.00 98.85 99.07"),
        ),
        source=f"{ERA_REPO}, Session 7/model.py (Model5), Session 7/S7_Model5.ipynb",
        change="Training images are rotated by up to 7 degrees; the network stays the same.",
        target="Get more variety into the training images.",
        result="At the best epoch six more test images are correct, and the training accuracy is a little lower.",
        analysis="Six images of ten thousand are fewer than the seven images between two runs of A3's recipe. More "
        "varied images help against overfitting, but this network's training accuracy is already below its test "
        "accuracy. The comparison below has more seeds.",
        errata=(FILL_OF_ONE, AVERAGE_POOL_STRIDE),
        field_claims=FIELDS_OF_C2_TO_C6,
    ),
    Step(
        slug="c6-steplr-7416",
        title="StepLR",
        architecture=Architecture("C6 StepLR", six_models_steplr()),
        recipe=rotation_and_steps(0.01, 6, 0.1),
        claim=Claim(
            0.9893,
            0.9945,
            14,
            fractions("89.96 97.50 98.08 98.26 98.37 98.53 98.72 98.87 98.89 98.87 98.89 98.92 98.89 98.93 98.92"),
            fractions("98.02 98.65 99.06 98.86 99.15 99.05 99.35 99.42 99.40 99.38 99.43 99.42 99.41 99.42 99.45"),
        ),
        source=f"{ERA_REPO}, Session 7/model.py (Model6), Session 7/S7_Model6.ipynb",
        change="The learning rate falls to a tenth every 6 epochs, and the layers change their order.",
        target="See what a falling learning rate does.",
        result="The last five epochs stay above 99.4%: accuracy, parameters and epochs all meet the challenge.",
        analysis="The test accuracy jumps by 0.3 points at epoch 6, the first epoch with the lower rate, and moves "
        "little after that. But it was above C5's in every epoch before, when the rates were still the same, so the "
        "schedule is not the only reason. This is one run of each; the comparisons below test the two changes "
        "separately.",
        confounded="ReLU now stands before batch norm, the first block has no batch norm and no dropout any more, and "
        "the 1 x 1 convolution has no batch norm, ReLU or dropout any more. It is another network, with 32 parameters "
        "fewer.",
        errata=(
            Erratum(
                "This step studies StepLR.",
                "It also changes the order of the layers, and removes batch norm (32 parameters), ReLU and dropout in "
                "some places. So it does not show what the schedule alone did.",
            ),
            FILL_OF_ONE,
            AVERAGE_POOL_STRIDE,
        ),
        field_claims=FIELDS_OF_C2_TO_C6,
    ),
)
