"""The spellings that people have for a recipe, to the lab's own: torch's names, Keras's, and short ones.

What is said unambiguously is read; the rest stays as it is, and the reader of records names it. No torch.
"""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

from core.errors import RecipeError
from core.record import Json, short
from core.training.augmentation_reading import plain_augmentation
from core.training.optimizers import Optimizer
from core.training.recipe_wrapping import unwrapped
from core.training.schedules import OneCycle, Schedule
from core.training.spelling import Fields, is_off, number, pair, part, put, renamed, spellings, squashed

RECIPE = spellings(
    (),
    {
        "epochs": "epochs epoch num_epochs n_epochs max_epochs number_of_epochs",
        "batch_size": "batch_size batch bs train_batch_size",
        "learning_rate": "learning_rate lr max_lr rate initial_lr init_lr base_learning_rate",
        "optimizer": "optimizer optimiser optim",
        "schedule": "schedule scheduler lr_scheduler lr_schedule learning_rate_schedule",
        "loss": "loss criterion loss_fn loss_function",
        "label_smoothing": "label_smoothing smoothing",
        "l1": "l1 l1_lambda lambda_l1 l1_penalty l1_reg l1_regularization l1_regularisation l1_weight l1_factor",
        "gradient_clipping": "gradient_clipping gradient_clip grad_clip clip clip_grad clip_grad_norm clip_norm "
        "clipping max_grad_norm max_norm gradient_clip_val grad_norm_clip global_clipnorm gradient_clip_norm",
        "clip_value": "clip_value clip_grad_value grad_clip_value gradient_clip_value",
        "clip_by": "clip_by gradient_clip_algorithm",
        "early_stopping": "early_stopping early_stop early_stopping_patience",
        "normalisation": "normalisation normalization normalise normalize norm_stats",
        "validation_size": "validation_size validation val_size valid_size validation_split val_split held_out "
        "validation_fraction val_fraction num_validation",
        "split_seed": "split_seed split_random_state validation_seed val_seed",
        "augmentation": "augmentation augmentations augment transform transforms train_transform train_transforms",
        "plain_epochs": "plain_epochs epochs_without_augmentation last_epochs_without_augmentation no_aug_epochs",
        "ema_decay": "ema_decay ema",
        "target_accuracy": "target_accuracy target",
        "seed": "seed random_seed random_state manual_seed torch_seed",
        "weight_decay": "weight_decay wd",
    },
)
IN_OPTIMIZER = ("momentum", "nesterov", "weight_decay", "betas")  # also beside it
OPTIMIZERS = spellings((kind.__name__ for kind in get_args(Optimizer)), {"RMSprop": "RMSProp"})
OF_OPTIMIZERS = spellings(
    {field.name for kind in get_args(Optimizer) for field in fields(kind)},
    {
        "learning_rate": "lr learning_rate max_lr",
        "beta1": "beta1 beta_1 b1",
        "beta2": "beta2 beta_2 b2",
        "eps": "eps epsilon",
        "weight_decay": "weight_decay wd decoupled_weight_decay",
        "adam_learning_rate": "adam_learning_rate adam_lr adamw_lr aux_lr",
        "l1": "l1 l1_lambda l1_penalty",
        "gradient_clipping": "clipnorm global_clipnorm max_grad_norm",
        "clip_value": "clipvalue clip_value",
        "betas": "betas",
    },
)
HOW_TORCH_STEPS = ("foreach", "fused", "capturable", "differentiable", "maximize", "verbose", "decoupled_weight_decay")
SCHEDULES = spellings(
    (kind.__name__ for kind in get_args(Schedule)),
    {
        "Constant": "constant none fixed no",
        "StepLR": "step stepdecay",
        "MultiStepLR": "multistep",
        "ExponentialLR": "exponential exponentialdecay exp",
        "LinearToZero": "linear lineardecay lineartozero",
        "ReduceLROnPlateau": "plateau reduceonplateau reducelr",
        "OneCycle": "onecyclelr 1cycle onecyclepolicy",
        "Cosine": "cosineannealing cosineannealinglr cosinelr cosinedecay",
        "CosineAnnealingWarmRestarts": "warmrestarts cosinewarmrestarts cosinerestarts sgdr cosineannealingwarmrestart",
        "CyclicLR": "cyclic clr cyclical cycliclearningrate",
    },
)
OF_SCHEDULES = spellings(
    {field.name for kind in get_args(Schedule) for field in fields(kind)},
    {
        "warm_up": "warmup pct_start",
        "start_divisor": "div_factor",
        "end_divisor": "final_div_factor",
        "learning_rate": "max_lr lr learning_rate",
        "anneal_strategy": "anneal annealing",
    },
)
OF_ONE = {  # what a word means depends on the schedule
    "StepLR": {"step": "step_size", "factor": "gamma", "decay": "gamma", "every": "step_size"},
    "MultiStepLR": {"steps": "milestones", "epochs": "milestones", "factor": "gamma"},
    "ExponentialLR": {"decayrate": "gamma", "factor": "gamma", "decay": "gamma"},
    "Cosine": {"minlr": "eta_min", "lrmin": "eta_min"},
    "CosineAnnealingWarmRestarts": {"minlr": "eta_min", "t0": "T_0", "tmult": "T_mult"},
    "CyclicLR": {"stepsize": "step_size_up", "minlr": "base_lr"},
    "OneCycle": {},
}
WATCHED = {  # by ReduceLROnPlateau and EarlyStopping: the split and the figure
    **dict.fromkeys(("valloss", "validationloss", "validloss", "evalloss"), ("validation", "loss")),
    **dict.fromkeys(("valacc", "valaccuracy", "validationaccuracy", "validacc"), ("validation", "accuracy")),
    "testloss": ("test", "loss"),
    **dict.fromkeys(("testacc", "testaccuracy"), ("test", "accuracy")),
}
LOSSES = spellings(
    ("cross_entropy", "mean_squared_error"),
    {
        "cross_entropy": "cross_entropy_loss ce nll nllloss nll_loss categorical_crossentropy log_loss "
        "sparse_categorical_crossentropy crossentropy softmax_cross_entropy",
        "mean_squared_error": "mse mse_loss l2_loss",
    },
)
PRECISIONS = {
    "float32": "fp32",
    "tensorfloat32": "tf32",
    "bfloat16": "bf16",
    "bf16mixed": "bf16",
    "32": "fp32",
    "32true": "fp32",
}


def plain_spelling(data: Json) -> Json:
    """The recipe by the lab's own names. Raises RecipeError where two fields say the same and differ."""
    if not isinstance(data, dict):
        return data
    recipe = renamed(unwrapped(data), RECIPE, "recipe")
    _optimizer(recipe)
    _schedule(recipe)
    _loss(recipe)
    plain_augmentation(recipe)
    _clipping(recipe)
    for name, reader in READERS.items():
        if name in recipe:
            recipe[name] = reader(recipe[name])
    if isinstance(own := recipe.get("normalisation"), dict) and "normalisation" in own:
        recipe |= own
    return recipe


def _optimizer(recipe: Fields) -> None:
    beside = {name: recipe.pop(name) for name in IN_OPTIMIZER if name in recipe}
    given = part(recipe.get("optimizer"), "recipe: optimizer")
    if given is None:
        given = {"name": "SGD"} if beside else None
    if not isinstance(given, dict):
        if given is not None:
            recipe["optimizer"] = given
        return
    place = "recipe: optimizer"
    found = renamed(given, OF_OPTIMIZERS, place)
    for name, value in beside.items():
        put(found, name, value, place, name)
    if isinstance(kind := found.get("name"), str):
        found["name"] = OPTIMIZERS.get(squashed(kind), kind)
    if found.get("name") == "RMSprop" and "rho" in found:
        put(found, "alpha", found.pop("rho"), place, "rho")  # Keras's name
    if (betas := pair(found.get("betas"))) is not None and isinstance(listed := found.pop("betas"), list):
        for name, value in zip(("beta1", "beta2"), betas, strict=True):
            if len(listed) == 2:
                put(found, name, value, place, "betas")
    for name in HOW_TORCH_STEPS:
        if name in found and is_off(found[name]):
            del found[name]
    for name in ("learning_rate", "l1", "gradient_clipping", "clip_value"):
        if name in found:
            put(recipe, name, found.pop(name), "recipe", f"optimizer: {name}")
    recipe["optimizer"] = found


def _schedule(recipe: Fields) -> None:
    place = "recipe: schedule"
    if is_off(recipe.get("schedule", "")):
        del recipe["schedule"]
    given = part(recipe.get("schedule"), place)
    beside = {
        key: OF_SCHEDULES[squashed(key)]
        for key in recipe
        if key not in RECIPE.values() and squashed(key) in OF_SCHEDULES
    }
    if given is None:
        for key, name in beside.items():
            raise RecipeError(
                f'recipe: {short(key)} is a field of a schedule; write it in one, such as {{"schedule": '
                f'{{"name": "StepLR", "{name}": {short(recipe[key])}}}}}'
            )
        return
    if not isinstance(given, dict):
        recipe["schedule"] = given
        return
    written = squashed(named) if isinstance(named := given.get("name"), str) else ""
    kind = SCHEDULES.get(written, given.get("name"))
    known = OF_SCHEDULES | (OF_ONE.get(kind, {}) if isinstance(kind, str) else {})
    found = renamed(given, known, place)
    for key, name in beside.items():
        put(found, name, recipe.pop(key), place, key)
    found["name"] = kind
    if kind is None:
        del found["name"]
    for key, usual in (("last_epoch", -1), ("verbose", False), ("scale_fn", None), ("verbose", "deprecated")):
        if key in found and found[key] == usual:
            del found[key]
    if "learning_rate" in found:
        recipe["learning_rate"] = found.pop("learning_rate")  # in torch, max_lr replaces the optimizer's rate
    _of_kind(recipe, found, written)
    recipe["schedule"] = found


def _of_kind(recipe: Fields, found: Fields, written: str) -> None:
    """What is special to one schedule."""
    kind = found.get("name")
    if kind == "OneCycle":
        for name in ("total_steps", "steps_per_epoch"):
            found.pop(name, None)  # they follow from the epochs and the batch size
        if "epochs" in found:
            put(recipe, "epochs", found.pop("epochs"), "recipe", "schedule: epochs")
        if found.get("anneal_strategy") in ("cosine", "lin"):
            found["anneal_strategy"] = {"cosine": "cos", "lin": "linear"}[str(found["anneal_strategy"])]
        if written == "onecyclelr" and "cycle_momentum" not in found:
            optimizer = recipe.get("optimizer")
            has_momentum = not (isinstance(optimizer, dict) and optimizer.get("name") == "Adadelta")
            found["cycle_momentum"] = has_momentum and not OneCycle.cycle_momentum  # torch's default
    if kind == "Cosine" and found.get("T_max") == recipe.get("epochs", 15) and "T_max" in found:
        del found["T_max"]  # the whole run
    if kind == "CyclicLR" and found.get("step_size_down", 0) is None:
        del found["step_size_down"]
    if kind == "ReduceLROnPlateau":
        if "min_delta" in found:  # Keras's, which is absolute
            put(found, "threshold", found.pop("min_delta"), "recipe: schedule", "min_delta")
            found.setdefault("threshold_mode", "abs")
        if found.get("eps") == 1e-8:
            del found["eps"]
        _watch(found, "recipe: schedule", "mode")


def _watch(found: Fields, place: str, figure_field: str) -> None:
    """`monitor: "val_acc"` as the split and the figure. Raises RecipeError for a figure of the training images."""
    monitor = found.get("monitor")
    if found.get("mode") == "auto":
        del found["mode"]
    if isinstance(monitor, str) and squashed(monitor) in ("loss", "trainloss", "acc", "accuracy", "trainacc"):
        raise RecipeError(
            f"{place}: monitor {short(monitor)} is of the training images; write val_loss, val_accuracy, test_loss or "
            "test_accuracy"
        )
    if not isinstance(monitor, str) or squashed(monitor) not in WATCHED:
        return
    split, figure = WATCHED[squashed(monitor)]
    found["monitor"] = split
    put(found, figure_field, {"loss": "min", "accuracy": "max"}[figure], place, f"monitor {monitor}")


def _loss(recipe: Fields) -> None:
    given = part(recipe.get("loss"), "recipe: loss")
    if not isinstance(given, dict) or not isinstance(name := given.pop("name", None), str):
        return
    recipe["loss"] = LOSSES.get(squashed(name), name)
    for key, value in given.items():
        put(recipe, key if key in ("label_smoothing",) else f"loss {key}", value, "recipe", f"loss: {key}")


def _clipping(recipe: Fields) -> None:
    """{"name": "norm", "max_norm": 1}, null, and the value's own names."""
    if is_off(recipe.get("gradient_clipping", 0)):
        del recipe["gradient_clipping"]
    if isinstance(given := recipe.get("gradient_clipping"), dict):
        del recipe["gradient_clipping"]
        for key, value in given.items():
            name = {
                "maxnorm": "gradient_clipping",
                "clipvalue": "clip_value",
                "norm": "gradient_clipping",
                "value": "clip_value",
                "normtype": "norm_type",
            }.get(squashed(key), f"gradient_clipping {key}")
            if name != "norm_type" or value not in (2, 2.0):
                put(recipe, name, value, "recipe", f"gradient_clipping: {key}")
    if "clip_value" in recipe:
        put(recipe, "gradient_clipping", recipe.pop("clip_value"), "recipe", "clip_value")
        put(recipe, "clip_by", "value", "recipe", "clip_value")


def _early_stopping(value: Json) -> Json:
    if is_off(value) or number(value) == 0:
        return None
    if value is True:
        return {}
    if number(value) is not None:
        return {"patience": value}
    if not isinstance(value, dict):
        return value
    place = "recipe: early_stopping"
    found = renamed(value, spellings(("patience", "monitor", "min_delta"), {"min_delta": "delta threshold"}), place)
    if found.get("name") in ("EarlyStopping", "early_stopping"):
        del found["name"]
    given_mode = found.pop("mode", None)
    for name, usual in (
        ("restore_best_weights", (True, False)),
        ("verbose", (True, False, 0, 1)),
        ("baseline", (None,)),
    ):
        if name in found and found[name] in usual:
            del found[name]  # the best epoch's weights are always kept
    if isinstance(monitor := found.get("monitor"), str) and squashed(monitor) in WATCHED:
        found["monitor"] = WATCHED[squashed(monitor)][1]
    elif monitor is None and given_mode in ("min", "max"):
        found["monitor"] = {"min": "loss", "max": "accuracy"}[str(given_mode)]
    return found


def _normalisation(value: Json) -> Json:
    """A name, or the object of its fields in the recipe."""
    if isinstance(value, dict):
        table = spellings((), {"mean": "mean mu", "sd": "sd std stdev deviation"})
        found = renamed(value, table, "recipe: normalisation")
        mean, sd = (
            each[0] if isinstance(each := found.get(key), list) and len(each) == 1 else each for key in ("mean", "sd")
        )
        if set(found) == {"mean", "sd"}:
            return _by_figures(mean, sd)
        return value
    if isinstance(value, list) and len(value) == 2:
        mean, sd = (each[0] if isinstance(each, list) and len(each) == 1 else each for each in value)
        return _by_figures(mean, sd)
    if number(value) == 0.5:
        return "half"
    words = {"none": (0.0, 1.0), "identity": (0.0, 1.0), "totensor": (0.0, 1.0)}
    if value is None or (isinstance(value, str) and squashed(value) in words):
        return _by_figures(0.0, 1.0)
    names = {
        "measured": "training_split",
        "train": "training_split",
        "trainingsplit": "training_split",
        "mnist": "mnist",
        "half": "half",
        "05": "half",
    }
    return names.get(squashed(value), value) if isinstance(value, str) else value


def _by_figures(mean: Json, sd: Json) -> Json:
    if (number(mean), number(sd)) == (0.1307, 0.3081):
        return "mnist"
    if (number(mean), number(sd)) == (0.5, 0.5):
        return "half"
    return {"normalisation": "own", "normalisation_mean": mean, "normalisation_sd": sd}


def _validation_size(value: Json) -> Json:
    share = number(value)
    return round(60_000 * share) if share is not None and 0 < share < 1 else 0 if value is None else value


def _precision(value: Json) -> Json:
    return PRECISIONS.get(squashed(str(value)), value)


def _ema_decay(value: Json) -> Json:
    return value["decay"] if isinstance(value, dict) and set(value) == {"decay"} else value


READERS = {
    "ema_decay": _ema_decay,
    "early_stopping": _early_stopping,
    "normalisation": _normalisation,
    "validation_size": _validation_size,
    "precision": _precision,
}
