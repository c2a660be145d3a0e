"""A training run as one script that needs torch and torchvision alone, and no lab.

It uses what a first course uses: torch's optimizers and schedulers, torchvision's data sets and transforms, one loop.
Only what the recipe asks for is in it. Its first weights, its held-out images and its learning rates are those of the
lab; all other random numbers differ, and a comment says what else does.
"""

from __future__ import annotations

import textwrap

from core.architecture.pytorch_code import class_code, import_code, sequential_code
from core.architecture.sizes import shape_words
from core.architecture.spec import LogSoftmax
from core.architecture.trace import classifier
from core.checkpoints.card import DIGITS_INPUT, Card
from core.data.mnist import DOWNLOAD_BYTES, MNIST_MEAN, MNIST_SD
from core.errors import SpecError
from core.export import augmenting
from core.export.looping import looping
from core.export.optimizing import optimizing
from core.export.section import Section, Subject
from core.training.recipe import SPLIT_SEED
from core.words import percent, plural, rate_words

WIDTH = 100  # characters of a comment


def training_script(subject: Subject) -> str:
    """The whole script. Raises SpecError for a network that takes no digits."""
    parts = sections(subject)
    body = "\n\n".join(f"{_heading(each)}\n\n{each.code}" for each in parts)
    introduction = "\n".join(about(subject))
    return f'"""{introduction}\n"""\n\n{import_code(body)}\n\n{body}\n'


def sections(subject: Subject) -> list[Section]:
    """The script's parts, in order, without its imports. Raises SpecError for a network that takes no digits."""
    shape = subject.architecture.input
    if shape != DIGITS_INPUT:
        raise SpecError(f"input: the network takes {shape_words(shape)}, the data sets' images are 1 x 28 x 28")
    parts = [_settings(subject), _data(subject)]
    if subject.augments:
        parts.append(augmenting.augmenting(subject))
    return [*parts, _network(subject), optimizing(subject), looping(subject), _result(subject)]


def _heading(section: Section) -> str:
    words = textwrap.wrap(section.words, WIDTH, initial_indent="# ", subsequent_indent="# ")
    return "\n".join([f"# {section.title} ".ljust(WIDTH, "-"), *words])


# -------------------------------------------------------------------------------------------------------- introduction


def about(subject: Subject) -> list[str]:
    """What is trained, what the lab measured, and what differs: lines of plain text."""
    walked = classifier(subject.architecture)
    epochs = plural(subject.recipe.epochs, "epoch")
    lines = [f"{subject.title}: {walked.parameters:,} parameters, {epochs} of {data_set(subject)}.", ""]
    lines += [*_measured(subject), "", "What differs from a run in the lab:"]
    lines += [f"- {each}" for each in differences(subject)]
    return [*lines, "", "It needs two packages: pip install torch torchvision"]


def data_set(subject: Subject) -> str:
    """The data set that the script trains on."""
    wanted = subject.card.dataset if subject.card else "MNIST"
    return wanted if wanted in DOWNLOAD_BYTES else "MNIST"


def _measured(subject: Subject) -> list[str]:
    card = subject.card
    if card and subject.run is None:
        accuracy = f"{percent(card.record.test_accuracy)} of the {card.test_images:,} test images"
        return [f"Its weights came from elsewhere: the lab measured {accuracy}, and does not know their training."]
    if card is None:
        return ["The lab has no run of it here, so there is no accuracy to compare with."]
    where = f"{card.device}, torch {card.versions['torch']}" if "torch" in card.versions else card.device
    return [
        f"Measured in the lab: {percent(card.record.test_accuracy)} of the {card.test_images:,} test images,",
        f"{_epoch(card)} (n = 1 run, seed {card.recipe.seed}, {where}).",
    ]


def _epoch(card: Card) -> str:
    number, planned = card.epoch + 1, card.recipe.epochs
    if card.choice != "last":
        return f"after epoch {number} of {planned}, {card.choice}"
    return (
        f"after the last of {plural(planned, 'epoch')}" if number == planned else f"after {number} of {planned} epochs"
    )


def differences(subject: Subject) -> list[str]:
    """What the script does in another way than the lab, a sentence each."""
    recipe, card = subject.recipe, subject.card
    found = ["The order of the images and all random changes; the first weights are the same."]
    if subject.augments:
        found += augmenting.differences(recipe.augmentation)
    if card and subject.run is None:
        found.append("The recipe: it is the lab's usual one, for that of the weights is not known.")
    if recipe.range_test and subject.run is None:
        found.append(
            "The recipe finds its learning rate by a range test; this script begins with the rate that stands in it."
        )
    if card is not None and card.dataset != data_set(subject):
        found.append(f"The run was trained on {card.dataset}; this script trains on MNIST.")
    for change in card.rate_changes if card else ():
        found.append(
            f"From iteration {change.iteration:,} on, a person multiplied the run's learning rate by {change.factor:g}."
        )
    return found


# ------------------------------------------------------------------------------------------------------------ sections


def _settings(subject: Subject) -> Section:
    recipe = subject.recipe
    how = ""
    if recipe.range_test:
        how = "  # found by the range test" if subject.run else "  # of the recipe, before its range test"
    lines = [
        'DATA = "data"  # the folder of the data set; it is downloaded if it is not there',
        f"EPOCHS = {recipe.epochs}",
        f"BATCH_SIZE = {recipe.batch_size}",
        f"LEARNING_RATE = {_rate(recipe.learning_rate)}{how}",
        f"SEED = {recipe.seed}",
        "",
        'device = "cuda" if torch.cuda.is_available() else "cpu"',
    ]
    if recipe.precision == "tf32":
        lines.append(
            "torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True  # an NVIDIA GPU's"
        )
    elif recipe.precision == "fp32":
        lines.append("torch.backends.cudnn.allow_tf32 = False  # an NVIDIA GPU must not round to TensorFloat-32")
    return Section("Settings", "Change these and run it again.", "\n".join(lines))


def _rate(rate: float) -> str:
    """The number itself, written without an exponent where it is short."""
    words = rate_words(rate)
    return words if float(words) == rate else repr(rate)


def _data(subject: Subject) -> Section:
    recipe, name = subject.recipe, data_set(subject)
    lines = [
        f"train_set = datasets.{name}(DATA, train=True, download=True)",
        f"test_set = datasets.{name}(DATA, train=False, download=True)",
        "",
        "train_images, train_labels = train_set.data.unsqueeze(1) / 255, train_set.targets  # (60000, 1, 28, 28)",
        "test_images, test_labels = test_set.data.unsqueeze(1) / 255, test_set.targets",
    ]
    if recipe.validation_size:
        lines += [
            "",
            "# Hold out images evenly from each class: the same ones as in the lab.",
            f"VALIDATION = {recipe.validation_size}",
            f"shuffled = np.random.default_rng({SPLIT_SEED + recipe.split_seed:_}).permutation(len(train_labels))",
            'by_class = shuffled[np.argsort(train_labels.numpy()[shuffled], kind="stable")]',
            "held_out = torch.zeros(len(train_labels), dtype=torch.bool)",
            "held_out[by_class[np.arange(VALIDATION) * len(train_labels) // VALIDATION]] = True",
            "validation_images, validation_labels = train_images[held_out], train_labels[held_out]",
            "train_images, train_labels = train_images[~held_out], train_labels[~held_out]",
        ]
    lines += ["", f"normalise = v2.Normalize({_normalisation(subject)})"]
    held = " Some training images are held out: choices are made with them." if recipe.validation_size else ""
    return Section(
        "Data", f"All images are in memory as grey levels from 0 to 1, (N, 1, 28, 28).{held}", "\n".join(lines)
    )


def _normalisation(subject: Subject) -> str:
    recipe, card = subject.recipe, subject.card
    if card and subject.run is None:
        return f"[{card.normalisation_mean}], [{card.normalisation_sd}]"
    match recipe.normalisation:
        case "mnist":
            return f"[{MNIST_MEAN}], [{MNIST_SD}]"
        case "training_split":
            return "[train_images.mean().item()], [train_images.std().item()]"
        case "half":
            return "[0.5], [0.5]"
        case "own":
            return f"[{recipe.normalisation_mean}], [{recipe.normalisation_sd}]"


def _network(subject: Subject) -> Section:
    walked = classifier(subject.architecture)
    classes = class_code(walked)
    parts = [f"{classes}\n\n"] if classes else []
    parts += ["torch.manual_seed(SEED)  # so that the first weights are those of the run in the lab"]
    code = "\n".join([*parts, sequential_code(walked), "network.to(device)"])
    words = "Beside each layer stands the shape that comes out, for N images."
    if isinstance(walked.layers[-1].op, LogSoftmax):
        words += " It ends in a log-softmax, which cross-entropy leaves as it is."
    return Section("Network", words, code)


def _result(subject: Subject) -> Section:
    recipe = subject.recipe
    weights = "averaged.module" if recipe.ema_decay else "network"
    lines = [
        'print(f"After the last epoch: {test_accuracy:.2%} of the test images.")',
        f'torch.save({weights}.state_dict(), "{subject.file_stem}.pth")',
    ]
    if subject.run:
        lines.insert(1, f'print("The run in the lab (n = 1): {percent(subject.run.record.test_accuracy)}.")')
    words = "The last epoch counts: the best one, chosen with the test images, would look too good."
    return Section("Result", words, "\n".join(lines))
