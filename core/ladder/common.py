"""Recipes and errors that several lineages share."""

from __future__ import annotations

from core.ladder.model import Erratum
from core.training.recipe import Augmentation, Jitter, Recipe, StepLR

ROTATION = Augmentation(rotation=Jitter(7), fill=1 / 255, interpolation="nearest")  # torchvision's fill=1 on 0 to 255
PLAIN = Recipe(learning_rate=0.01, seed=1)
ROTATED = Recipe(learning_rate=0.01, augmentation=ROTATION, seed=1)


def rotation_and_steps(rate: float, step_size: int, gamma: float, batch_size: int = 128) -> Recipe:
    return Recipe(
        batch_size=batch_size,
        learning_rate=rate,
        schedule=StepLR(step_size, gamma),
        augmentation=ROTATION,
        seed=1,
    )


def fractions(percentages: str) -> tuple[float, ...]:
    """The accuracies of a log, `99.45 99.50`, as fractions, 0.9945 and 0.995."""
    return tuple(round(float(percentage) / 100, 4) for percentage in percentages.split())


BEST_ON_TEST = Erratum(
    "The figure of each network is its best epoch on the test set, from one run.",
    "The best of 15 epochs, chosen on the same images that it is reported on, looks better than it is. And one run "
    "does not show how much runs differ. No write-up gives a mean over seeds. The lab reports the last epoch and the "
    "number of runs, and shows the best epoch beside it.",
)
PLACE_OF_DROPOUT = Erratum(
    "The write-ups speak of dropout as one thing.",
    "It has three different places: conv, batch norm, dropout, ReLU (A2, B2 to B4); conv, batch norm, ReLU, dropout "
    "(A3, C4, C5); conv, ReLU, batch norm, dropout (C6). The first two compute the same values, the third does not.",
)
COMMON_ERRATA: tuple[Erratum, ...] = (BEST_ON_TEST, PLACE_OF_DROPOUT)
FILL_OF_ONE = Erratum(
    "Rotation fills the corners with 1.",
    "On a scale from 0 to 1, the value 1 is white. But the transform runs before the images are scaled, while the "
    "values go from 0 to 255. There 1 is the grey level 1/255, which is almost black, like MNIST's background.",
)
AVERAGE_POOL_STRIDE = Erratum(
    "The receptive-field table gives the average pool a stride of 1, and a jump of 2 after the pool and after conv8.",
    "If no stride is given, the stride of a pool is its kernel size: here stride 4, so the jump is 2 x 4 = 8 after the "
    "pool, and 8 after conv8. The sizes are correct anyway, because conv8 is 1 x 1 and adds nothing at any jump.",
)

# The repositories that the write-ups and their code stand in.
EVOLUTION_REPO = "github.com/Code-Trees/Evolution_of_AI at f8661a8268583d79bcf99ee086967b7ebb56073e"
MNIST_OPS_REPO = "github.com/Code-Trees/mnist_ops at 9a7ea74f76f1a301460e92d2cdae01ee00efc35b"
EVA7_REPO = "github.com/Nageswar-Sahoo/EVA-7 at ff36fa6390914b274c531c59731fba7a5e14141c"
EVA8_REPO = "github.com/Nageswar-Sahoo/EVA-8"
COMPUTER_VISION_REPO = "github.com/Nageswar-Sahoo/Computer-Vision-Project"
ERA_REPO = "github.com/TharunSivamani/ERA-V1 at 01c8f475a4a7d668c92da5eba5708569a7a9c1ef"
