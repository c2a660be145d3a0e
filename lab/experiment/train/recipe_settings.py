"""What a recipe can have beyond its few main fields, and the words by which people look for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields
from typing import get_args, get_type_hints

from core.training.recipe import MAX_STRENGTH, Augmentation, Recipe
from core.training.recipe_words import field_words
from lab.ui.recipe_keys import OPTIMIZERS, SCHEDULES


@dataclass(frozen=True)
class Setting:
    """One entry of the search. `place` is its way in the recipe: ("optimizer", "SGD", "dampening")."""

    place: tuple[str, ...]
    label: str
    words: str = ""  # others that people have for it

    @property
    def name(self) -> str:
        return ".".join(self.place)

    def __str__(self) -> str:
        return f"{self.label} · {self.words}" if self.words else self.label


OF_THE_RECIPE = (  # in the order of the form
    Setting(("loss",), "Loss", "criterion, cross-entropy, mean squared error, MSE"),
    Setting(("label_smoothing",), "Label smoothing", "soft targets"),
    Setting(("l1",), "L1 penalty", "lasso, L1 regularisation, sparse weights"),
    Setting(("gradient_clipping",), "Gradient clipping", "clip grad norm, clip_grad_norm_, max norm, clip value"),
    Setting(("early_stopping",), "Early stopping", "patience, stop when it no longer improves"),
    Setting(("validation_size",), "Images held out", "validation split, hold out, val size"),
    Setting(("plain_epochs",), "Last epochs without augmentation", "switch off augmentation, fine-tune at the end"),
    Setting(("ema_decay",), "Averaged weights", "EMA, exponential moving average, SWA"),
    Setting(("normalisation",), "Normalisation", "Normalize, mean, standard deviation, 0.5"),
    Setting(("precision",), "Precision", "bfloat16, TF32, mixed precision, AMP"),
    Setting(("target_accuracy",), "Target accuracy", "99.4%, goal"),
    Setting(("range_test",), "Find the learning rate just before", "range test, learning-rate finder, LR find"),
)
CHANGES = {
    "rotation": "RandomRotation, turn, degrees",
    "translation": "shift, move, RandomAffine translate",
    "scale": "larger and smaller, RandomAffine scale, zoom range",
    "shear": "slant, RandomAffine shear",
    "perspective": "RandomPerspective, distortion",
    "brightness": "ColorJitter",
    "contrast": "ColorJitter",
    "crop": "RandomCrop, random crop with padding",
    "zoom": "RandomResizedCrop, random zoom",
    "elastic": "ElasticTransform, elastic deformation, warp",
    "erasing": "RandomErasing, random erasing, cutout, occlusion",
}
RESAMPLING = "fill, border, reflect, padding mode, nearest, bilinear, torchvision's rule"
KINDS = {
    "SGD": "stochastic gradient descent, momentum",
    "Adam": "adaptive moments",
    "AdamW": "decoupled weight decay",
    "RMSprop": "root mean square",
    "Adadelta": "no rate to choose",
    "Muon": "Newton-Schulz, orthogonal steps",
    "Constant": "no schedule, same rate",
    "StepLR": "step decay, falls every few epochs",
    "MultiStepLR": "milestones",
    "ExponentialLR": "exponential decay",
    "LinearLR": "linear warm-up, warm up",
    "ReduceLROnPlateau": "plateau, patience",
    "OneCycle": "one cycle, OneCycleLR, one-cycle, 1cycle, warm-up",
    "Cosine": "CosineAnnealingLR, cosine annealing, cosine decay",
    "CosineAnnealingWarmRestarts": "SGDR, warm restarts, cosine restarts",
    "CyclicLR": "cyclic, triangular, cyclical",
    "LinearToZero": "linear decay",
}
OF_A_KIND = {
    "dampening": "",
    "amsgrad": "AMSGrad",
    "eps": "eps",
    "centered": "centred RMSprop",
    "mode": "plateau on accuracy, max, triangular2, exp_range",
    "threshold_mode": "absolute threshold, rel, abs",
    "anneal_strategy": "linear annealing, cosine",
    "three_phase": "third phase",
    "cycle_momentum": "cycled momentum",
    "base_momentum": "cycled momentum",
    "max_momentum": "cycled momentum",
    "eta_min": "eta_min, min lr",
    "T_max": "T_max",
    "ns_steps": "ns_steps",
}
MAIN = {  # fields that stand in the form whatever they are
    "SGD": ("momentum", "nesterov", "weight_decay"),
    "Adam": ("beta1", "beta2", "weight_decay"),
    "AdamW": ("beta1", "beta2", "weight_decay"),
    "RMSprop": ("alpha", "momentum", "weight_decay"),
    "Adadelta": ("rho", "weight_decay"),
    "Muon": ("momentum", "weight_decay", "adam_learning_rate"),
    "StepLR": ("gamma",),
    "MultiStepLR": ("gamma",),
    "LinearLR": ("start_factor", "end_factor", "total_iters"),
    "ReduceLROnPlateau": ("factor", "patience", "threshold", "min_lr", "monitor"),
    "OneCycle": ("warm_up", "start_divisor", "end_divisor"),
    "CosineAnnealingWarmRestarts": ("T_mult",),
    "CyclicLR": ("step_size_up", "mode"),
}


def is_main(kind: type, field: Field[object]) -> bool:
    """Whether a field of an optimizer, a schedule or a change is always there: the usual ones, and those it needs."""
    needed = field.default is MISSING and field.default_factory is MISSING
    return needed or field.name in (*MAIN.get(kind.__name__, ()), "strength", "probability")


def all_settings() -> tuple[Setting, ...]:
    """Everything that the search can find."""
    return (*OF_THE_RECIPE, *_of_augmentation(), *_of_kinds("optimizer", OPTIMIZERS), *_of_kinds("schedule", SCHEDULES))


def _of_augmentation() -> Iterator[Setting]:
    hints = get_type_hints(Augmentation)
    for name in MAX_STRENGTH:
        title = name.capitalize()
        yield Setting(("augmentation", name), title, CHANGES[name])
        for field in _rest(hints[name]):
            yield Setting(("augmentation", name, field.name), f"{title}: {field_words(field.name)}")
    yield Setting(("augmentation", "resampling"), "How images are resampled", RESAMPLING)


def _of_kinds(part: str, kinds: dict[str, type]) -> Iterator[Setting]:
    for name, kind in kinds.items():
        yield Setting((part, name), name, KINDS[name])
        for field in _rest(kind):
            words = OF_A_KIND.get(field.name, "")
            yield Setting((part, name, field.name), f"{name}: {field_words(field.name)}", words)


def _rest(kind: type) -> list[Field[object]]:
    return [field for field in fields(kind) if not is_main(kind, field)]


def used(recipe: Recipe) -> list[str]:
    """The names of those settings of the recipe itself that are not as they are by default."""
    usual = Recipe()
    return [each.name for each in OF_THE_RECIPE if getattr(recipe, each.name) != getattr(usual, each.name)]


def begins_with(kind: type, field: str, value: object) -> object:
    """What a field begins with that has been added: the other choice of two, or what it is."""
    if isinstance(value, bool):
        return not value
    choices = get_args(get_type_hints(kind)[field])
    return choices[1] if isinstance(value, str) and len(choices) > 1 and value == choices[0] else value
