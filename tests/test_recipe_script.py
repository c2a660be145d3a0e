"""The recipe in the lines of a training script, as the scripts of this field write them."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RecipeError, SpecError
from core.export.script import Subject, training_script
from core.importing.opened import open_file, open_text
from core.importing.recipe_script import recipe_of_script
from core.ladder.catalogue import by_slug
from core.training.recipe import (
    SGD,
    Adadelta,
    Adam,
    Augmentation,
    EarlyStopping,
    Jitter,
    OneCycle,
    Recipe,
    StepLR,
)
from tests.test_reading_hostile import BOMBS, SECONDS

ERA = """
EPOCHS = 20
train_transforms = transforms.Compose([
    transforms.RandomRotation((-7.0, 7.0), fill=(1,)),
    transforms.ToTensor(),
    transforms.Normalize((0.1307,), (0.3081,))
])
test_transforms = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
dataloader_args = dict(shuffle=True, batch_size=64, num_workers=4) if cuda else dict(shuffle=True, batch_size=32)
train_loader = torch.utils.data.DataLoader(train, **dataloader_args)
test_loader = torch.utils.data.DataLoader(test, batch_size=1000)
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.8)
scheduler = StepLR(optimizer, step_size=3, gamma=0.5)
for epoch in range(EPOCHS):
    loss = criterion(model(data), target)
    target = target.to(device)
"""
EXAMPLE = """
parser = argparse.ArgumentParser(description="PyTorch MNIST Example")
parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="input batch size for training")
parser.add_argument("--test-batch-size", type=int, default=1000)
parser.add_argument("--epochs", type=int, default=14)
parser.add_argument("--lr", type=float, default=1.0)
parser.add_argument("--gamma", type=float, default=0.7)
parser.add_argument("--no-cuda", action="store_true", default=False)
parser.add_argument("--seed", type=int, default=3)
args = parser.parse_args()
transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
dataset1 = datasets.MNIST("../data", train=True, download=True, transform=transform)
optimizer = optim.Adadelta(model.parameters(), lr=args.lr)
scheduler = StepLR(optimizer, step_size=1, gamma=args.gamma)
loss = F.nll_loss(output, target)
"""
INLINE = """
lr, momentum = 0.01, 0.9
max_lr = 0.2
train_loader = DataLoader(
    datasets.MNIST("../data", train=True, transform=transforms.Compose([
        transforms.RandomApply([transforms.RandomRotation(5)], p=0.4), transforms.ToTensor()])),
    batch_size=256, shuffle=True)
optimizer = torch.optim.SGD(net.parameters(), lr=max_lr)
scheduler = OneCycleLR(optimizer, max_lr=max_lr, epochs=15, steps_per_epoch=len(train_loader), cycle_momentum=False)
"""
KERAS = """
model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.002), loss="sparse_categorical_crossentropy")
model.fit(x, y, batch_size=100, epochs=12, validation_split=0.1, callbacks=[EarlyStopping(patience=3)])
"""
SCRIPTS = {
    ERA: Recipe(
        20, 64, 0.05, optimizer=SGD(0.8), schedule=StepLR(3, 0.5),
        augmentation=Augmentation(rotation=Jitter(7), fill=1 / 255, interpolation="nearest"),
    ),
    EXAMPLE: Recipe(14, 64, 1.0, optimizer=Adadelta(), schedule=StepLR(1, 0.7), seed=3),
    INLINE: Recipe(
        batch_size=256, learning_rate=0.2, optimizer=SGD(0.0), schedule=OneCycle(),
        augmentation=Augmentation(rotation=Jitter(5, 0.4), interpolation="nearest"),
    ),
    KERAS: Recipe(12, 100, 0.002, optimizer=Adam(), validation_size=6000, early_stopping=EarlyStopping(3)),
}  # fmt: skip


@pytest.mark.parametrize("text", SCRIPTS, ids=["era", "example", "inline", "keras"])
def test_a_scripts_lines_are_its_recipe(text: str) -> None:
    assert open_text(text).recipe == SCRIPTS[text]


def notebook(*cells: str) -> bytes:
    """As Jupyter writes it."""
    parts = [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": cell.splitlines(True)}
        for cell in cells
    ]
    return json.dumps({"cells": parts, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def test_a_notebooks_cells_are_read_together() -> None:
    first, rest = ERA.split("test_transforms")
    assert open_file(notebook(f"!pip list\n{first}", f"test_transforms{rest}"), "s7.ipynb").recipe == SCRIPTS[ERA]
    network = "model = nn.Sequential(nn.Conv2d(1, 10, 28), nn.Flatten())"
    code = open_file(notebook("import torch", network, first), "s8.ipynb").code
    assert code is not None
    assert code.networks[0].parameters == 7850


def test_the_script_that_the_lab_exports_comes_back() -> None:
    step = by_slug("c6-steplr-7416")
    assert recipe_of_script(training_script(Subject(step.architecture, step.recipe))) == step.recipe


@pytest.mark.parametrize("text", ["x = 3", "lr = 0.1", "model = Net()", "(", "momentum = 0.9\nprint(momentum)"])
def test_lines_that_say_next_to_nothing_are_no_recipe(text: str) -> None:
    assert recipe_of_script(text) is None
    with pytest.raises(SpecError):
        open_text(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("optimizer = Lion(p, lr=0.1)", "optimizer: unknown name 'Lion'; there are SGD"),
        ("epochs = 3\ncriterion = nn.BCELoss()", "loss: 'BCELoss' is none of cross_entropy"),
        ("epochs = 3\nepochs = 4", "'epochs' is 4 and 'epochs' is 3, but both say epochs; keep one"),
        ("epochs = 3\nnum_epochs = 4", "'num_epochs' is 4 and 'epochs' is 3, but both say epochs; keep one"),
    ],
)
def test_a_line_that_cannot_be_followed_is_named(text: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        open_text(text)


@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_script_ends_soon(name: str) -> None:
    began = time.thread_time()
    with suppress(RecipeError):
        recipe_of_script(BOMBS[name])
    assert time.thread_time() - began < SECONDS


pieces = st.lists(
    st.sampled_from([
        *"().=,:*", "\n", " ", "lr", "epochs", "optimizer", "SGD", "Compose", "RandomApply", "[", "]", "0.1", "3", "-",
        "'x'", "args", "fit", "callbacks", "DataLoader", "shuffle", "batch_size", "True", "transform", "MNIST", "train",
    ]), max_size=40,
)  # fmt: skip


@given(pieces)
def test_any_text_ends_in_a_recipe_nothing_or_a_recipes_error(parts: list[str]) -> None:
    with suppress(RecipeError):
        recipe_of_script("".join(parts))
