"""Recipes as people write them: torch's names, Keras's, and short ones are read; what is not clear is one sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RecipeError
from core.training.recipe import (
    SGD,
    Adadelta,
    Adam,
    AdamW,
    Augmentation,
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
    Recipe,
    ReduceLROnPlateau,
    RMSprop,
    StepLR,
    Zoom,
    recipe_from_dict,
    recipe_from_json,
    recipe_to_dict,
)

pytestmark = pytest.mark.own_data

CUTOUT = (8 / 28) ** 2
READ: dict[str, Recipe] = {
    # numbers and names of the recipe
    '{"lr": 0.1, "num_epochs": 3.0, "batchSize": 64}': Recipe(learning_rate=0.1, epochs=3, batch_size=64),
    '{"recipe": {"EPOCHS": 2}}': Recipe(epochs=2),
    '{"loss": "cross-entropy"}': Recipe(),
    '{"criterion": {"name": "nn.CrossEntropyLoss", "label_smoothing": 0.1}}': Recipe(label_smoothing=0.1),
    '{"loss": "MSELoss", "random_state": 7}': Recipe(loss="mean_squared_error", seed=7),
    '{"precision": "bfloat16"}': Recipe(precision="bf16"),
    '{"validation_split": 0.1}': Recipe(validation_size=6000),
    '{"validation_size": 5000.0}': Recipe(validation_size=5000),
    '{"schedule": null, "augmentation": null, "early_stopping": false, "grad_clip": null}': Recipe(),
    # what stands around it
    '{"training": {"epochs": "10", "lr": "1e-3"}, "trainer": {"gradient_clip_val": 1.0}, "device": "cuda"}': Recipe(
        epochs=10, learning_rate=0.001, gradient_clipping=1
    ),
    '{"epochs": {"value": 7}, "validation_split": {"desc": null, "value": "10%"}, "num_workers": 2}': Recipe(
        epochs=7, validation_size=6000
    ),
    '{"optimizer": "optim.Adam(model.parameters(), lr=0.002, weight_decay=1e-4)"}': Recipe(
        learning_rate=0.002, optimizer=Adam(weight_decay=0.0001)
    ),
    '{"optimizer": {"_target_": "torch.optim.AdamW", "lr": "0.002"}}': Recipe(learning_rate=0.002, optimizer=AdamW()),
    '{"scheduler": "lr_scheduler.StepLR(optimizer, 6, gamma=0.5)"}': Recipe(schedule=StepLR(6, 0.5)),
    '{"milestones": [5, 10], "gamma": 0.2}': Recipe(schedule=MultiStepLR((5, 10), 0.2)),
    '{"transforms": ["T.RandomRotation((-7.0, 7.0))", "RandomAffine(0, translate=(0.1, 0.1))", "ToTensor()"]}': Recipe(
        augmentation=Augmentation(
            rotation=Jitter(7), translation=Jitter(0.1), interpolation="nearest", rule="torchvision"
        )
    ),
    '{"precision": "bf16-mixed", "metrics": ["accuracy"], "shuffle": true}': Recipe(precision="bf16"),
    '{"validation_size": 5000, "callbacks": ["ModelCheckpoint", {"name": "EarlyStopping", "patience": 3}]}': Recipe(
        validation_size=5000, early_stopping=EarlyStopping(patience=3)
    ),
    # optimizers
    '{"optimizer": "adam"}': Recipe(optimizer=Adam()),
    '{"optimizer": {"name": "Adam", "lr": 0.001, "betas": [0.9, 0.98]}}': Recipe(
        learning_rate=0.001, optimizer=Adam(beta2=0.98)
    ),
    '{"optimizer": {"type": "torch.optim.AdamW", "weight_decay": 0.05, "foreach": null}}': Recipe(
        optimizer=AdamW(weight_decay=0.05)
    ),
    '{"optimizer": {"class_name": "Adam", "config": {"beta_1": 0.8, "epsilon": 1e-7}}}': Recipe(
        optimizer=Adam(0.8, eps=1e-7)
    ),
    '{"optimizer": {"SGD": {"lr": 0.05, "momentum": 0.8}}}': Recipe(learning_rate=0.05, optimizer=SGD(0.8)),
    '{"momentum": 0.8, "weight_decay": 0.001}': Recipe(optimizer=SGD(0.8, weight_decay=0.001)),
    '{"optimizer": {"name": "RMSProp", "rho": 0.9, "centered": true}}': Recipe(optimizer=RMSprop(0.9, centered=True)),
    '{"optimizer": {"name": "Adadelta", "rho": 0.95}}': Recipe(optimizer=Adadelta(0.95)),
    '{"optimizer": {"name": "muon", "lr": 0.02, "adamw_lr": 0.003}}': Recipe(
        learning_rate=0.02, optimizer=Muon(adam_learning_rate=0.003)
    ),
    '{"optimizer": {"name": "SGD", "l1": 0.0001}}': Recipe(l1=0.0001),
    '{"l1_lambda": 0.001, "max_grad_norm": 1}': Recipe(l1=0.001, gradient_clipping=1),
    '{"clip_grad_norm_": 2.0}': Recipe(gradient_clipping=2),
    '{"gradient_clipping": {"max_norm": 1.0, "norm_type": 2}}': Recipe(gradient_clipping=1),
    '{"clip_grad_value": 0.5}': Recipe(gradient_clipping=0.5, clip_by="value"),
    '{"optimizer": {"name": "SGD", "clipvalue": 0.5}}': Recipe(gradient_clipping=0.5, clip_by="value"),
    # schedules
    '{"schedule": "StepLR", "step_size": 6, "gamma": 0.5}': Recipe(schedule=StepLR(6, 0.5)),
    '{"scheduler": {"type": "StepLR", "step_size": 3, "last_epoch": -1, "verbose": false}}': Recipe(schedule=StepLR(3)),
    '{"schedule": {"name": "MultiStep", "milestones": [6.0, 12]}}': Recipe(schedule=MultiStepLR((6, 12))),
    '{"schedule": {"name": "exponential", "gamma": 0.9}}': Recipe(schedule=ExponentialLR(0.9)),
    '{"schedule": {"name": "LinearLR", "start_factor": 1.0, "end_factor": 0.1}}': Recipe(schedule=LinearLR(1.0, 0.1)),
    '{"schedule": "linear"}': Recipe(schedule=LinearToZero()),
    '{"schedule": {"name": "CosineAnnealingLR", "T_max": 15}}': Recipe(schedule=Cosine()),
    '{"epochs": 20, "schedule": {"name": "CosineAnnealingLR", "t_max": 10, "eta_min": 0.001}}': Recipe(
        epochs=20, schedule=Cosine(10, 0.001)
    ),
    '{"schedule": {"name": "CosineAnnealingWarmRestarts", "T_0": 5, "T_mult": 2}}': Recipe(
        schedule=CosineAnnealingWarmRestarts(5, 2)
    ),
    '{"schedule": {"name": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size": 500}}': Recipe(
        learning_rate=0.1, schedule=CyclicLR(0.01, 500)
    ),
    '{"schedule": {"name": "OneCycleLR", "max_lr": 0.2, "pct_start": 0.2, "div_factor": 10, "epochs": 15, '
    '"steps_per_epoch": 469}}': Recipe(learning_rate=0.2, schedule=OneCycle(0.2, 10, cycle_momentum=True)),
    '{"schedule": {"name": "OneCycle", "anneal_strategy": "cosine"}}': Recipe(schedule=OneCycle()),
    '{"validation_size": 5000, "schedule": {"name": "ReduceLROnPlateau", "monitor": "val_acc"}}': Recipe(
        validation_size=5000, schedule=ReduceLROnPlateau(mode="max")
    ),
    '{"schedule": {"name": "plateau", "monitor": "test_loss", "min_delta": 0.001}}': Recipe(
        schedule=ReduceLROnPlateau(threshold=0.001, threshold_mode="abs", monitor="test")
    ),
    '{"early_stopping": 3}': Recipe(early_stopping=EarlyStopping(3)),
    '{"early_stopping": {"patience": 5, "monitor": "val_accuracy", "restore_best_weights": true}}': Recipe(
        early_stopping=EarlyStopping(5, "accuracy")
    ),
    # normalisation
    '{"normalization": {"mean": [0.1307], "std": [0.3081]}}': Recipe(),
    '{"normalisation": [0.5, 0.5]}': Recipe(normalisation="half"),
    '{"normalisation": {"mean": 0.13, "std": 0.3}}': Recipe(
        normalisation="own", normalisation_mean=0.13, normalisation_sd=0.3
    ),
    '{"normalize": "none"}': Recipe(normalisation="own", normalisation_mean=0, normalisation_sd=1),
    # augmentation
    '{"augmentation": {"rotation": 7, "scale": [0.9, 1.1], "translate": [0.1, 0.1]}}': Recipe(
        augmentation=Augmentation(rotation=Jitter(7), scale=Jitter(0.1), translation=Jitter(0.1))
    ),
    '{"augmentation": {"rotation_range": 10, "zoom_range": 0.1, "width_shift_range": 0.1, "height_shift_range": 0.1, '
    '"fill_mode": "nearest"}}': Recipe(
        augmentation=Augmentation(rotation=Jitter(10), scale=Jitter(0.1), translation=Jitter(0.1), padding_mode="edge")
    ),
    '{"transforms": [{"name": "transforms.RandomRotation", "degrees": [-7, 7], "fill": [1]}, "ToTensor", '
    '{"name": "Normalize", "mean": [0.5], "std": [0.5]}]}': Recipe(
        normalisation="half", augmentation=Augmentation(rotation=Jitter(7), fill=1 / 255, interpolation="nearest")
    ),
    '{"augmentation": {"RandomAffine": {"degrees": 5, "translate": [0.1, 0.1], "shear": 5}}}': Recipe(
        augmentation=Augmentation(rotation=Jitter(5), translation=Jitter(0.1), shear=Jitter(5))
    ),
    '{"augmentation": {"ColorJitter": {"brightness": 0.2, "contrast": [0.8, 1.2], "hue": 0}}}': Recipe(
        augmentation=Augmentation(brightness=Jitter(0.2), contrast=Jitter(0.2))
    ),
    '{"augmentation": {"RandomCrop": {"size": 28, "padding": 4, "padding_mode": "reflect"}}}': Recipe(
        augmentation=Augmentation(crop=Jitter(4 / 28), padding_mode="reflect")
    ),
    '{"augmentation": {"crop": 2}}': Recipe(augmentation=Augmentation(crop=Jitter(2 / 28))),
    '{"augmentation": {"RandomErasing": {"p": 0.2, "scale": [0.05, 0.2], "ratio": [0.5, 2]}}}': Recipe(
        augmentation=Augmentation(erasing=Erasing(0.2, 0.2, 0.05, 0.5, 2))
    ),
    '{"augmentation": ["RandomErasing"]}': Recipe(augmentation=Augmentation(erasing=Erasing(0.33))),
    '{"augmentation": {"cutout": 8}}': Recipe(augmentation=Augmentation(erasing=Erasing(CUTOUT, 1, CUTOUT, 1, 1))),
    '{"augmentation": {"RandomResizedCrop": {"size": 28, "scale": [0.8, 1.0], "ratio": [0.5, 2]}}}': Recipe(
        augmentation=Augmentation(zoom=Zoom(0.2, ratio=2))
    ),
    '{"augmentation": {"ElasticTransform": {"alpha": 40, "sigma": 4}}}': Recipe(
        augmentation=Augmentation(elastic=Elastic(40, sigma=4))
    ),
    '{"train_transform": "transforms.Compose([transforms.RandomRotation((-7., 7.), fill=(1,)), transforms.ToTensor(), '
    'transforms.Normalize((0.1307,), (0.3081,))])"}': Recipe(
        augmentation=Augmentation(rotation=Jitter(7), fill=1 / 255, interpolation="nearest")
    ),
    '{"transform": ["ToTensor()", "RandomAffine(9, fill=0.5, interpolation=InterpolationMode.BILINEAR)"]}': Recipe(
        augmentation=Augmentation(rotation=Jitter(9), fill=0.5, rule="torchvision")
    ),
    '{"transform": ["T.Compose([T.Compose([T.RandomPerspective(0.2, 0.5)]), ColorJitter(0.1, 0.2)])", "ToTensor"]}': (
        Recipe(
            augmentation=Augmentation(
                perspective=Jitter(0.2, 0.5), brightness=Jitter(0.1), contrast=Jitter(0.2), rule="torchvision"
            )
        )
    ),
    '{"transform": "RandomApply([RandomRotation(15)], p=0.3)"}': Recipe(
        augmentation=Augmentation(rotation=Jitter(15, 0.3), interpolation="nearest")
    ),
    '{"transform": "RandomApply([RandomRotation(15)])"}': Recipe(
        augmentation=Augmentation(rotation=Jitter(15, 0.5), interpolation="nearest")
    ),
    '{"augmentation": "RandomAffine(degrees=10, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=5)"}': Recipe(
        augmentation=Augmentation(
            rotation=Jitter(10),
            translation=Jitter(0.1),
            scale=Jitter(0.1),
            shear=Jitter(5),
            interpolation="nearest",
            rule="torchvision",
        )
    ),
    '{"augmentation": "ImageDataGenerator(rotation_range=10, zoom_range=0.1, width_shift_range=0.1)"}': Recipe(
        augmentation=Augmentation(rotation=Jitter(10), scale=Jitter(0.1), translation=Jitter(0.1))
    ),
    '{"augmentation": {"RandomRotation": {"factor": 0.05}}}': Recipe(augmentation=Augmentation(rotation=Jitter(18))),
    '{"ema": {"decay": 0.99}}': Recipe(ema_decay=0.99),
    '{"scheduler": "CosineAnnealingWarmRestarts(optimizer, 5, 2)"}': Recipe(schedule=CosineAnnealingWarmRestarts(5, 2)),
    '{"augmentation": {"RandomPerspective": {"distortion_scale": 0.2, "p": 0.4}, "interpolation": "BILINEAR"}}': Recipe(
        augmentation=Augmentation(perspective=Jitter(0.2, 0.4))
    ),
}


@pytest.mark.parametrize("text", READ)
def test_what_is_clear_is_read(text: str) -> None:
    assert recipe_from_json(text) == READ[text]


REFUSED = {
    '{"mixup": 0.2}': "'mixup' is no field of a recipe here: the lab does not mix images",
    '{"dropout": 0.1}': "it is one of the network's ops",
    '{"gradient_accumulation_steps": 2}': "write the product as batch_size",
    '{"training": {"max_steps": 2000}}': "counts in epochs",
    '{"scheduler": "StepLR(6, 0.1, 3)"}': r"write the names of its arguments, such as StepLR\(name=value\)",
    '{"lr": 0.1, "learning_rate": 0.2}': "'learning_rate' is 0.2 and 'lr' is 0.1.*keep one",
    '{"lr": 0.1, "optimizer": {"name": "SGD", "lr": 0.2}}': "learning_rate.* is 0.2 .*0.1.*keep one",
    '{"step_size": 6}': "'step_size' is a field of a schedule; write it in one",
    '{"schedule": {"name": "ReduceLROnPlateau", "monitor": "train_loss"}}': "of the training images; write val_loss",
    '{"schedule": {"name": "ReduceLROnPlateau", "monitor": "val_acc", "mode": "min"}}': "both say mode; keep one",
    '{"schedule": "NoamLR"}': "unknown name 'NoamLR'; there are Constant, StepLR, MultiStepLR",
    '{"optimizer": {"name": "Adam", "momentum": 0.9}}': "unknown field 'momentum'; Adam takes beta1",
    '{"augmentation": {"RandomCrop": {"size": 24}}}': "size is 24, but the network takes 28 x 28; give a padding",
    '{"augmentation": {"rotation": [-5, 10]}}': r"rotation: strength: expected a number, got \[-5, 10\]",
    '{"augmentation": {"RandomHorizontalFlip": 0.5}}': "RandomHorizontalFlip: .* leave it out",
    '{"transform": "RandomApply([CenterCrop(22)], p=0.1)"}': "CenterCrop: the lab does not cut out the middle",
    '{"transform": "RandomApply([RandomRotation(9), RandomAffine(0, shear=5)])"}': "each change by itself",
    '{"transform": "A.OneOf([A.Rotate(limit=9), A.Blur()], p=0.3)"}': "list them without OneOf",
    '{"transform": "RandAugment(2, 9)"}': "unknown field 'RandAugment'; Augmentation takes rotation",
    '{"optimizer": "Lion(model.parameters(), 1e-4)"}': "unknown name 'Lion'; there are SGD, Adam",
    '{"cutout": 8}': "'cutout' is no field of a recipe here: it changes the images: write it within \"augmentation\"",
    '{"augmentation": [7]}': "7 has no name, such as RandomRotation",
    '{"normalisation": {"mean": 0.5}}': "normalisation: .* is none of mnist",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_clear_is_one_sentence_that_names_the_field(text: str) -> None:
    with pytest.raises(RecipeError, match=REFUSED[text]) as raised:
        recipe_from_json(text)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("text", ["Compose([" * 400 + "])" * 400, "a" + ".b" * 1900 + "()", "f(" + "-" * 3900 + "1)"])
def test_a_call_that_nests_too_deep_is_one_sentence(text: str) -> None:
    with pytest.raises(RecipeError) as raised:
        recipe_from_dict({"augmentation": text})
    assert "\n" not in str(raised.value)


keys = st.sampled_from(
    ["name", "lr", "optimizer", "schedule", "augmentation", "betas", "milestones", "rotation", "RandomErasing", "scale",
     "p", "crop", "padding", "normalisation", "mean", "std", "early_stopping", "monitor", "gradient_clipping", "zoom",
     "ratio", "cutout", "RandomAffine", "loss", "validation_size", "config", "size", "T_max", "step_size", "fill"]
)  # fmt: skip
leaves = st.none() | st.booleans() | st.integers(-3, 30) | st.floats() | st.just(10**400) | st.sampled_from(
    ["SGD", "Adam", "StepLR", "OneCycleLR", "val_loss", "RandomCrop", "Normalize", "half", ""]
)  # fmt: skip
anything = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner), max_leaves=12)


@given(st.dictionaries(keys, anything))
def test_whatever_is_written_is_a_recipe_or_a_sentence(data: dict[str, object]) -> None:
    try:
        recipe = recipe_from_dict(data)  # type: ignore[arg-type]
    except RecipeError:
        return
    assert recipe_from_json(json.dumps(recipe_to_dict(recipe))) == recipe
