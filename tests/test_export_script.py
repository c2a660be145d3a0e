"""The exported training script, run as a student would run it, against what the lab does with the same recipe."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.architecture.pytorch_code import import_code
from core.architecture.spec import Architecture, BatchNorm, Conv, Dropout, Flatten, GlobalAvgPool, LogSoftmax, ReLU
from core.checkpoints.card import read_card
from core.data.mnist import EMBEDDED, Split
from core.errors import SpecError
from core.export.augmenting import augmenting
from core.export.notebook import training_notebook
from core.export.optimizing import optimizing, pace_of
from core.export.script import training_script
from core.export.section import Subject
from core.ladder.catalogue import by_slug
from core.training.augment import augment
from core.training.averaging import Average
from core.training.history import RateChange
from core.training.network import build
from core.training.recipe import (
    SGD,
    Adadelta,
    Adam,
    AdamW,
    Augmentation,
    Constant,
    Cosine,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    EarlyStopping,
    Elastic,
    Erasing,
    ExponentialLR,
    Jitter,
    LinearLR,
    LinearToZero,
    MultiStepLR,
    Muon,
    OneCycle,
    Optimizer,
    RangeTest,
    Recipe,
    ReduceLROnPlateau,
    RMSprop,
    Schedule,
    StepLR,
    Zoom,
    check_recipe,
    momentum_at,
    rate_at,
)
from core.training.resident import _held_out, _measured
from core.training.schedules import stops
from core.training.step import make_optimizer
from lab.settings import ROOT
from tests.exported import executed, made_digits, rates_recorded, with_constants, write_idx

pytestmark = pytest.mark.own_data

TRAIN, TEST, HELD_OUT = 90, 20, 20
SMALL = Architecture(
    "Small", (Conv(4, 5, 3), BatchNorm(), ReLU(), Dropout(0.1), Conv(10, 3), GlobalAvgPool(), Flatten(), LogSoftmax())
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_idx(made_digits(TRAIN, TEST), tmp_path_factory.mktemp("data"))


def small(recipe: Recipe, data: Path, architecture: Architecture = SMALL) -> str:
    """The script on the small data set, which is where it looks for the data."""
    script = training_script(Subject(architecture, recipe))
    more = {"VALIDATION": HELD_OUT} if recipe.validation_size else {}
    return with_constants(script, DATA=str(data), **more)


share = st.floats(0, 1)
momentum = st.floats(0, 0.95)
optimizers = (
    st.builds(SGD, momentum, weight_decay=st.floats(0, 0.01))
    | st.builds(SGD, st.floats(0.1, 0.9), st.just(True))
    | st.builds(Adam, momentum, amsgrad=st.booleans())
    | st.builds(AdamW, momentum)
    | st.builds(RMSprop, momentum=momentum, centered=st.booleans())
    | st.builds(Adadelta)
    | st.builds(Muon, momentum)
)
rates = st.floats(1e-4, 0.05)
schedules = (
    st.sampled_from([Constant(), Cosine(), LinearToZero()])
    | st.builds(StepLR, st.integers(1, 3), share)
    | st.builds(MultiStepLR, st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple), share)
    | st.builds(ExponentialLR, share)
    | st.builds(LinearLR, st.floats(0.01, 1), share, st.integers(1, 4))
    | st.builds(
        ReduceLROnPlateau, st.floats(0.1, 0.9), st.integers(0, 1), monitor=st.sampled_from(["test", "validation"])
    )
    | st.builds(
        OneCycle,
        st.floats(0.05, 0.5),
        anneal_strategy=st.sampled_from(["cos", "linear"]),
        three_phase=st.booleans(),
        cycle_momentum=st.booleans(),
    )
    | st.builds(Cosine, st.integers(1, 3), st.floats(0, 1e-4))
    | st.builds(CosineAnnealingWarmRestarts, st.integers(1, 2), st.integers(1, 3), st.floats(0, 1e-4))
    | st.builds(
        CyclicLR,
        st.floats(0, 1e-4),
        st.integers(1, 9),
        st.integers(0, 9),
        st.sampled_from(["triangular", "triangular2", "exp_range"]),
        st.floats(0.9, 1),
    )
)
jitters = st.builds(Jitter, st.floats(0.01, 0.3), st.sampled_from([0.0, 0.5, 1.0]))
augmentations = st.just(Augmentation()) | st.builds(
    Augmentation, jitters, jitters, jitters, jitters, jitters, jitters, jitters, jitters,
    st.sampled_from([Zoom(), Zoom(0.3)]), st.sampled_from([Elastic(), Elastic(20.0, 0.1)]),
    st.sampled_from([Erasing(), Erasing(0.3)]), st.sampled_from([0.0, 1 / 255, 0.3]),
    st.sampled_from(["constant", "edge", "reflect", "symmetric"]), st.sampled_from(["bilinear", "nearest"]),
    st.sampled_from(["composed", "torchvision"]),
)  # fmt: skip


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    schedule: Schedule = draw(schedules)
    optimizer: Optimizer = draw(optimizers)
    if isinstance(optimizer, Adadelta) and isinstance(schedule, OneCycle | CyclicLR):
        schedule = replace(schedule, cycle_momentum=False)
    held_out = isinstance(schedule, ReduceLROnPlateau) and schedule.monitor == "validation"
    loss = draw(st.sampled_from(["cross_entropy", "mean_squared_error"]))
    return check_recipe(
        Recipe(
            epochs=draw(st.integers(1, 3)),
            batch_size=draw(st.integers(9, 40)),
            learning_rate=draw(rates),
            range_test=draw(st.none() | st.just(RangeTest())),
            optimizer=optimizer,
            schedule=schedule,
            loss=loss,
            label_smoothing=draw(st.sampled_from([0.0, 0.1])) if loss == "cross_entropy" else 0.0,
            ema_decay=draw(st.sampled_from([0.0, 0.9])),
            ema_warm_up=draw(st.booleans()),
            l1=draw(st.sampled_from([0.0, 1e-4])),
            gradient_clipping=draw(st.sampled_from([0.0, 0.5])),
            clip_by=draw(st.sampled_from(["norm", "value"])),
            early_stopping=draw(
                st.none() | st.builds(EarlyStopping, st.just(1), st.sampled_from(["loss", "accuracy"]))
            ),
            normalisation=draw(st.sampled_from(["mnist", "training_split", "half", "own"])),
            validation_size=5000 if held_out else draw(st.sampled_from([0, 5000, 10_000])),
            augmentation=draw(augmentations),
            plain_epochs=draw(st.integers(0, 3)),
            precision=draw(st.sampled_from(["fp32", "tf32", "bf16"])),
            seed=draw(st.integers(0, 9)),
        )
    )


@settings(max_examples=12)
@given(recipe=recipes())
def test_every_recipes_script_trains_with_the_rates_and_momenta_of_the_lab(recipe: Recipe, data: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, rates_recorded() as steps:
        names, printed = executed(small(recipe, data), Path(folder))
        saved = torch.load(Path(folder) / "small.pth", weights_only=True)
    done = sum(line.startswith("epoch ") for line in printed.splitlines())
    batches = -(-(TRAIN - (HELD_OUT if recipe.validation_size else 0)) // recipe.batch_size)
    assert len(steps) == done * batches
    assert done == recipe.epochs or recipe.early_stopping
    assert set(saved) == set(names["network"].state_dict())
    assert_same_rates(recipe, batches, steps)


def assert_same_rates(recipe: Recipe, batches: int, steps: list[tuple[float, float | None]]) -> None:
    """The rates and momenta of the steps are those that the lab has at these iterations."""
    if not isinstance(recipe.schedule, ReduceLROnPlateau):
        expected = [rate_at(recipe, iteration, batches) for iteration in range(len(steps))]
        assert [rate for rate, _ in steps] == pytest.approx(expected, rel=1e-6, abs=1e-12)
    for iteration, (_, now) in enumerate(steps):
        if (cycled := momentum_at(recipe, iteration, batches)) is not None:
            assert now == pytest.approx(cycled)


@settings(max_examples=100)
@given(schedules, optimizers, st.integers(1, 9), st.integers(2, 12))
@example(OneCycle(0.5, three_phase=True, cycle_momentum=True), SGD(), 4, 7)  # two phases fill the run: no third one
@example(OneCycle(0.49, three_phase=True), SGD(), 4, 7)
def test_every_schedule_has_the_rates_and_momenta_of_the_lab(
    schedule: Schedule, optimizer: Optimizer, epochs: int, batches: int
) -> None:
    if isinstance(optimizer, Adadelta | Muon):  # those have tests of their own
        optimizer = SGD()
    recipe = Recipe(epochs, 10, 0.02, optimizer=optimizer, schedule=schedule)
    network = torch.nn.Linear(1, 1)
    names: dict[str, Any] = {
        "network": network, "train_images": range(10 * batches - 3), "LEARNING_RATE": 0.02, "EPOCHS": epochs,
        "BATCH_SIZE": 10,
    }  # fmt: skip
    run(optimizing(Subject(SMALL, recipe)).code, names)
    pace = pace_of(schedule)
    with rates_recorded() as steps:
        for _ in range(epochs):
            for _ in range(batches):
                names["optimizer"].step()
                if pace == "iteration":
                    names["scheduler"].step()
            if pace == "epoch":
                names["scheduler"].step()
    assert_same_rates(recipe, batches, steps)


EVERY_OPTIMIZER = (
    SGD(0.8, nesterov=True, weight_decay=0.01), SGD(0.5, dampening=0.2), Adam(0.8, weight_decay=0.1),
    AdamW(amsgrad=True), RMSprop(0.9, 0.5, weight_decay=0.01), Adadelta(0.8), Muon(), Muon(0.8, False, 0.0, 3, 0.02),
)  # fmt: skip


def run(code: str, names: dict[str, Any]) -> None:
    """A part of the script, with its imports."""
    exec(compile(f"{import_code(code)}\n{code}", "part.py", "exec", dont_inherit=True), names)


@pytest.mark.parametrize("optimizer", EVERY_OPTIMIZER, ids=repr)
def test_the_scripts_optimizer_takes_the_steps_of_the_labs(optimizer: Optimizer) -> None:
    recipe = Recipe(optimizer=optimizer, learning_rate=0.03, l1=0.01, gradient_clipping=0.1)
    ours, theirs = build(SMALL, 1).eval(), build(SMALL, 1).eval()
    names = {"torch": torch, "network": theirs, "LEARNING_RATE": 0.03}
    made = optimizing(Subject(SMALL, recipe)).code
    run(made, names)
    mine = make_optimizer(ours, recipe)
    for step in range(3):
        images = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(step))
        for network in (ours, theirs):
            network.zero_grad()
            network(images).square().sum().backward()
        mine.step()
        names["optimizer"].step()
        names["adam"].step() if "adam" in names else None
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("warm_up", [False, True])
def test_the_scripts_average_is_the_labs(warm_up: bool) -> None:
    recipe = Recipe(ema_decay=0.8, ema_warm_up=warm_up)
    network = build(SMALL, 1)
    names = {"torch": torch, "network": network, "LEARNING_RATE": 0.1}
    made = optimizing(Subject(SMALL, recipe)).code
    run(made, names)
    ours, theirs = Average(network, recipe), names["averaged"]
    for step in range(9):
        with torch.no_grad():
            for each in (*network.parameters(), *network.buffers()):
                each.add_(step)
        ours.update()
        theirs.update_parameters(network)
    for one, other in zip(ours.network.state_dict().values(), theirs.module.state_dict().values(), strict=True):
        if one.is_floating_point():  # batch norm's count of batches has no average
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_first_weights_the_held_out_images_and_the_normalisation_are_the_labs(data: Path, tmp_path: Path) -> None:
    recipe = Recipe(
        epochs=1, learning_rate=1e-9, seed=7, validation_size=5000, split_seed=3, normalisation="training_split"
    )
    names, _ = executed(small(recipe, data), tmp_path)
    for one, other in zip(build(SMALL, 7).parameters(), names["network"].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)  # but for steps of a billionth
    digits = made_digits(TRAIN, TEST).train
    mask = _held_out(digits.labels, HELD_OUT, 3)
    assert names["held_out"].tolist() == mask.tolist()
    measured = _measured(Split(digits.images[~mask], digits.labels[~mask]))
    assert names["normalise"].mean == pytest.approx([measured.mean], rel=1e-4)
    assert names["normalise"].std == pytest.approx([measured.sd], rel=1e-4)


def test_a_run_that_no_longer_improves_ends_as_in_the_lab(data: Path, tmp_path: Path) -> None:
    recipe = Recipe(epochs=9, learning_rate=1e-9, early_stopping=EarlyStopping(3, "accuracy"))
    _, printed = executed(small(recipe, data), tmp_path)
    told = [
        float(line.rpartition("test ")[2].rstrip("%")) for line in printed.splitlines() if line.startswith("epoch ")
    ]
    assert [stops(recipe.early_stopping, told[:count]) for count in range(1, len(told) + 1)] == [
        *[False] * (len(told) - 1), True,
    ]  # fmt: skip


ONE_BY_ONE = {
    "rotation": Augmentation(rotation=Jitter(20), fill=1 / 255),
    "translation": Augmentation(translation=Jitter(0.2), rule="torchvision"),
    "translation, sometimes": Augmentation(translation=Jitter(0.2, 0.5), rule="torchvision"),
    "scale": Augmentation(scale=Jitter(0.3)),
    "shear": Augmentation(shear=Jitter(25)),
    "perspective": Augmentation(perspective=Jitter(0.5, 0.7), rule="torchvision"),
    "brightness": Augmentation(brightness=Jitter(0.6)),
    "contrast": Augmentation(contrast=Jitter(0.6, 0.5)),
    "crop": Augmentation(crop=Jitter(0.15)),
    "crop, reflected": Augmentation(crop=Jitter(0.3), padding_mode="reflect"),
    "zoom": Augmentation(zoom=Zoom(0.5)),
    "elastic": Augmentation(elastic=Elastic(60.0, sigma=1.0)),
    "erasing": Augmentation(erasing=Erasing(0.3, value=0.5)),
    "all affine, border repeated": Augmentation(
        Jitter(15), Jitter(0.1), Jitter(0.1), Jitter(10), padding_mode="edge", rule="torchvision"
    ),
}


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_torchvisions_transforms_change_an_image_as_much_as_the_lab_does(name: str) -> None:
    changes, count = ONE_BY_ONE[name], 250
    image = torch.zeros(1, 28, 28)
    image[:, 6:22, 9:13] = 0.7
    image[:, 18:22, 9:24] = 0.4
    image[:, :2, 4:20] = 0.5  # at the border
    code = augmenting(Subject(SMALL, Recipe(augmentation=changes))).code
    names: dict[str, Any] = {}
    run(code, names)
    torch.manual_seed(1)
    theirs = torch.stack([names["augment"](image) for _ in range(count)])
    ours = augment(image.expand(count, 1, 28, 28), changes, torch.Generator().manual_seed(1))
    noise = (ours.var(0) + theirs.var(0)).div(count).sqrt()
    apart = (ours.mean(0) - theirs.mean(0)).abs()
    assert float((apart - 4.5 * noise).max()) < 0.02
    spread_apart = ours.std(0).mean() / theirs.std(0).mean()
    assert 0.9 < float(spread_apart) < 1.1


@settings(max_examples=8)
@given(recipe=recipes())
def test_the_notebooks_cells_are_the_script(recipe: Recipe) -> None:
    subject = Subject(SMALL, recipe)
    document = json.loads(training_notebook(subject))
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in document["cells"]}) == len(document["cells"])
    code = ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == "code"]
    script = ast.parse(training_script(subject))
    assert ast.dump(ast.parse("\n".join(code))) == ast.dump(ast.Module(script.body[1:], []))  # without its docstring


@pytest.mark.parametrize(
    "recipe",
    [Recipe(), Recipe(optimizer=Muon(), schedule=OneCycle(), ema_decay=0.9, ema_warm_up=True, validation_size=5000)],
)
def test_the_script_is_clean_code(recipe: Recipe) -> None:
    script = training_script(Subject(by_slug("c6-steplr-7416").architecture, recipe))
    rules = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,W,I,B", "--line-length", "120", "-"]
    done = subprocess.run(rules, input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_script_tells_the_runs_accuracy_with_n_and_seed() -> None:
    card = read_card(ROOT / "checkpoints" / "c6-steplr-7416.json")
    script = training_script(Subject(card.architecture, card.recipe, card, "c6-steplr-7416"))
    introduction = ast.get_docstring(ast.parse(script)) or ""
    assert f"{card.record.test_accuracy:.2%} of the 10,000 test images" in introduction
    assert f"n = 1 run, seed {card.recipe.seed}" in introduction
    assert 'torch.save(network.state_dict(), "c6-steplr-7416.pth")' in script
    unknown = training_script(Subject(card.architecture, card.recipe))
    assert "no run of it here" in unknown
    assert "%" not in (ast.get_docstring(ast.parse(unknown)) or "%")


def test_what_differs_from_the_lab_is_said() -> None:
    card = read_card(ROOT / "checkpoints" / "c6-steplr-7416.json")
    halved = replace(card, rate_changes=(RateChange(1234, 0.5),), dataset=EMBEDDED)
    changes = Augmentation(translation=Jitter(0.1), perspective=Jitter(0.2), padding_mode="reflect")
    recipe = replace(card.recipe, augmentation=changes, range_test=RangeTest())
    for said, subject in {
        "iteration 1,234 on": Subject(card.architecture, card.recipe, halved),
        f"trained on {EMBEDDED}": Subject(card.architecture, card.recipe, halved),
        "range test": Subject(card.architecture, recipe),
        "by whole pixels": Subject(card.architecture, recipe),
        "2 resamplings": Subject(card.architecture, recipe),
        "border goes on": Subject(card.architecture, recipe),
    }.items():
        assert said in training_script(subject)


@pytest.mark.parametrize("name", ['"""', "a\\", "two\nlines", "<b>*x*</b> `y`", "\u2028x", "half \ud800", ""])
def test_a_name_stays_a_name(name: str, data: Path, tmp_path: Path) -> None:
    subject = Subject(replace(SMALL, name=name), Recipe(epochs=1))
    executed(with_constants(training_script(subject), DATA=str(data)), tmp_path)
    first = "".join(json.loads(training_notebook(subject))["cells"][0]["source"])
    assert not set("<`*\\") & set(first.splitlines()[0])


def test_a_network_that_takes_no_digits_has_no_script() -> None:
    with pytest.raises(SpecError):
        training_script(Subject(Architecture("colour", (Conv(10, 32), Flatten()), (3, 32, 32)), Recipe()))


def test_weights_from_elsewhere_claim_no_run() -> None:
    card = read_card(ROOT / "checkpoints" / "c6-steplr-7416.json")

    class Elsewhere:  # as a card of weights that were trained elsewhere: figures of its own, and no history
        history, rate_changes, dataset = (), (), "MNIST"
        record, test_images = card.record, card.test_images
        normalisation_mean, normalisation_sd = 0.25, -0.5

    script = training_script(Subject(card.architecture, Recipe(), cast(Any, Elsewhere())))
    assert "does not know their training" in script
    assert "v2.Normalize([0.25], [-0.5])" in script
    assert "n = 1" not in script
