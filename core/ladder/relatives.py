"""Networks beside the ladder, from the same courses."""

from __future__ import annotations

from functools import partial

from core.architecture.spec import Architecture
from core.ladder.blocks import average_at_the_end, conv_bn_relu_dropout, conv_relu
from core.ladder.common import (
    COMPUTER_VISION_REPO,
    EVA7_REPO,
    EVA8_REPO,
    EVOLUTION_REPO,
    PLAIN,
    fractions,
    rotation_and_steps,
)
from core.ladder.evolution import (
    CHOSEN_ON_TEST,
    EVOLUTION_AUGMENTED,
    EVOLUTION_PLATEAU,
    FILL_BY_MEAN,
    FINDER_AT_ITS_START,
    STEP4_TEST,
    STEP4_TRAIN,
    evolution_narrow,
    evolution_skeleton,
    evolution_step4,
)
from core.ladder.four_steps import four_steps_plain, four_steps_rotation, four_steps_setup, four_steps_wide
from core.ladder.model import Claim, Lineage, Step, in_order
from core.training.recipe import Recipe

RELATIVES = Lineage(
    "x",
    "Relatives",
    "Networks from the same repositories that the write-ups leave out, or confuse with the ones they show. They are "
    "not a ladder: each one says which step to compare it with.",
    "see each network",
)

EXTRAS: tuple[Step, ...] = in_order(
    RELATIVES,
    Step(
        slug="x-evolution-step2-511386",
        title="A1 regularised",
        architecture=Architecture(
            "Evolution step 2", evolution_skeleton(partial(conv_bn_relu_dropout, dropout=0.01, bias=True))
        ),
        recipe=EVOLUTION_AUGMENTED,
        claim=Claim(
            0.9942,
            0.9964,
            13,
            fractions("95.24 98.21 98.59 98.80 98.92 99.01 99.11 99.17 99.20 99.25 99.26 99.33 99.29 99.37 99.42"),
            fractions("98.73 99.34 99.38 99.53 99.44 99.42 99.39 99.48 99.53 99.47 99.43 99.41 99.61 99.64 99.52"),
        ),
        source=f"{EVOLUTION_REPO}, Best_way_model_building/Step2_Add_Regularization",
        change="A1 with batch norm, dropout of 0.01, and random perspective and rotation.",
        analysis="Its claim is the highest of all the networks here, but it has sixty-four times the parameters that "
        "the challenge allows. A bias before a batch norm is useless: batch norm subtracts it again.",
        confounded="Compared with A1, batch norm, dropout and augmentation come together.",
    ),
    Step(
        slug="x-evolution-step3-14010",
        title="A1 regularised and narrowed",
        architecture=Architecture("Evolution step 3", evolution_narrow()),
        recipe=EVOLUTION_AUGMENTED,
        claim=Claim(
            0.9882,
            0.9945,
            12,
            fractions("91.95 97.48 97.91 98.24 98.37 98.42 98.55 98.58 98.63 98.71 98.70 98.73 98.82 98.80 98.82"),
            fractions("98.39 98.88 99.03 99.24 99.21 99.16 99.36 99.38 99.42 99.33 99.43 99.38 99.45 99.45 99.39"),
        ),
        source=f"{EVOLUTION_REPO}, Best_way_model_building/Step3_Reduce_parameter",
        change="x-evolution-step2-511386 with narrower layers, and nothing else.",
        analysis="Only the widths change: with 36 times fewer parameters its best epoch is 0.19 points lower, in one "
        "run each.",
    ),
    Step(
        slug="x-evolution-step4-7840",
        title="The network behind A2's log",
        architecture=Architecture("Evolution step 4", evolution_step4()),
        recipe=EVOLUTION_PLATEAU,
        claim=Claim(
            0.9866,
            0.9948,
            11,
            STEP4_TRAIN,
            STEP4_TEST,
            "52 test digits were wrong, and 704 training digits, which were counted on distorted images.",
        ),
        source=f"{EVOLUTION_REPO}, Best_way_model_building/Step4_Making_the_Final_Model",
        change="A3 without dilation, and with a 5 x 5 convolution in place of the global average.",
        analysis="The log that A2's write-up prints belongs to this network. It is also the fair network to compare A3 "
        "with.",
        errata=(FILL_BY_MEAN, FINDER_AT_ITS_START, CHOSEN_ON_TEST),
    ),
    Step(
        slug="x-eva7-setup-75828",
        title="The network before B1",
        architecture=Architecture("EVA-7 setup", four_steps_wide()),
        recipe=PLAIN,
        claim=Claim(
            0.9916,
            0.9872,
            14,
            note="The best test accuracy in the log is 98.74%, at epoch 8; 98.72% is that of epoch 14. Seed 1 is the "
            "seed of the later files.",
        ),
        source=f"{EVA7_REPO}, S5 Assignment/EVA7_Assignment_S5_File_1.ipynb",
        change="B1's layout, wider, and without batch norm.",
        analysis="It has seven times B1's parameters, and its claim is lower. Width and batch norm change together, in "
        "one run each.",
    ),
    Step(
        slug="x-eva7-plain-6748",
        title="B2 without batch norm and dropout",
        architecture=Architecture("EVA-7 plain", four_steps_plain()),
        recipe=PLAIN,
        recipe_known=False,
        claim=Claim(
            0.9905,
            0.9881,
            None,
            note="The layers are derived: B2 without batch norm has the 6,748 parameters of the claim. The recipe is "
            "not known, so B2's is assumed.",
        ),
        source=f"{COMPUTER_VISION_REPO}, S5/README.md, second of ten steps",
        change="B2 without batch norm and dropout.",
        analysis="B2 has 116 parameters for batch norm. Train this network beside B2 to see what they give.",
    ),
    Step(
        slug="x-eva7-wider-10120",
        title="B4, wider",
        architecture=Architecture("EVA-7 wider", four_steps_rotation(16, 16, 32, 64)),
        recipe=rotation_and_steps(0.1, 2, 0.6),
        claim=Claim(0.9944, 0.9953, 12, note="This is one of several schedules that the same notebook tries."),
        source=f"{COMPUTER_VISION_REPO}, S5/EVA7_Assignment_S5_File_8.ipynb",
        change="B4 with four wider layers, and batches of 128.",
        analysis="B4 is this network, made narrower until it fits the challenge.",
    ),
    Step(
        slug="x-eva7-narrower-5308",
        title="B4, narrower",
        architecture=Architecture("EVA-7 narrower", four_steps_rotation(10, 12, 16, 32)),
        recipe=rotation_and_steps(0.1, 2, 0.5),
        recipe_known=False,
        claim=Claim(
            0.9916,
            0.9941,
            11,
            note="The write-up states only rotation and StepLR(2, 0.5). Dropout 0.01, the learning rate of 0.1 and "
            "batches of 128 are assumed, as in the similar networks. The write-up says epoch 12, but 99.41% first "
            "occurs at epoch 11.",
        ),
        source=f"{COMPUTER_VISION_REPO}, S5/README.md, summary of the 5k model",
        change="B4 with four narrower layers.",
        analysis="It is as small as A3, and its claim is just above the target.",
    ),
    Step(
        slug="x-eva8-gap-9395",
        title="Classes straight from the average",
        architecture=Architecture("EVA-8 parts 2 and 3", average_at_the_end(25, 15, 0.1)),
        recipe=rotation_and_steps(0.1, 3, 0.6),
        claim=Claim(
            0.9934,
            0.9952,
            13,
            note="This is part 3, the best of several schedules, chosen on the test set. Part 2 is the same network "
            "with a constant rate of 0.1 and without rotation. It has 99.35% on the training images and 99.30% on the "
            "test images, both at epoch 13.",
        ),
        source=f"{EVA8_REPO} at a7b75e7, assignment-3/assignment-part-2.ipynb and assignment-part-3.ipynb",
        change="A later course's version of B3: the average pool gives the ten classes, with no layer after it.",
        analysis="Parts 2 and 3 have the same network, so the gain comes from rotation and schedule together.",
    ),
    Step(
        slug="x-eva8-gap-7027",
        title="Classes straight from the average, smaller",
        architecture=Architecture("EVA-8 part 4", average_at_the_end(16, 10, 0.05)),
        recipe=rotation_and_steps(0.1, 3, 0.6),
        recipe_known=False,
        claim=Claim(
            None,
            0.9948,
            None,
            note="This is the best of seven runs with different schedules. Which schedule gave it is not known, so the "
            "schedule, rate and batch size of x-eva8-gap-9395 are assumed.",
        ),
        source=f"{EVA8_REPO} at a7b75e7, assignment-3/assignment-part-4.ipynb",
        change="x-eva8-gap-9395 with two narrower layers and half the dropout.",
        analysis="By chance alone, the best of seven runs is higher than one run is on average.",
    ),
    Step(
        slug="x-eva8-plain-10790",
        title="B1 without batch norm",
        architecture=Architecture("EVA-8 setup", four_steps_setup(conv_relu)),
        recipe=Recipe(epochs=20, learning_rate=0.01, seed=1),
        recipe_known=False,
        claim=Claim(0.9889, 0.9870, 18, note="Batches of 128 and seed 1 are assumed, as in B1."),
        source=f"{EVA8_REPO} at f9cbef8, assignment-3/assignment-part-1.ipynb",
        change="B1 without batch norm, trained for 20 epochs.",
        analysis="Batch norm has 180 parameters. Without it the claim is below B1's, although this network trained for "
        "five epochs more; there is one run of each.",
    ),
)
