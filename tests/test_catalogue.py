"""The catalogue against facts/networks.json: the write-ups' own layers and logs, and fields checked by a gradient."""

import itertools
import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from core.architecture.json_form import (
    architecture_from_dict,
    architecture_from_json,
    architecture_to_dict,
    architecture_to_json,
)
from core.architecture.spec import AvgPool, Conv, GlobalAvgPool, MaxPool
from core.architecture.trace import classifier, trace
from core.challenge import CHALLENGE
from core.errors import SpecError
from core.ladder.catalogue import LADDER, LINEAGES, STEPS, before, by_slug, lineage_of
from core.ladder.common import COMMON_ERRATA
from core.ladder.comparisons import CLEAN_COMPARISONS, variants
from core.ladder.model import Step
from core.ladder.ours import OURS, OWN
from core.ladder.relatives import EXTRAS, RELATIVES
from core.training.recipe import Constant, ReduceLROnPlateau, StepLR, check_recipe, recipe_from_json, recipe_to_json

FACTS = json.loads((Path(__file__).parent / "facts" / "networks.json").read_text(encoding="utf-8"))

# The catalogue's slug beside the facts' own key.
KEYS = {
    "a1-skeleton-509946": "s000_skeleton",
    "a2-final-7758": "s001_final_7758",
    "a3-dilation-5340": "s002_dilation_5340",
    "b1-setup-10970": "s003_step1_10970",
    "b2-dropout-6864": "s003_step2_6864",
    "b3-gap-8008": "s003_step3_8008",
    "b4-rotation-7852": "s003_step4_7852",
    "c1-setup-6379786": "s004_model1_6379786",
    "c2-skeleton-7272": "s004_model2_7272",
    "c3-batchnorm-7448": "s004_model3_7448_bn",
    "c4-dropout-7448": "s004_model4_7448_dropout",
    "c5-rotation-7448": "s004_model5_7448_rotation",
    "c6-steplr-7416": "s004_model6_7416",
    "x-evolution-step2-511386": "x_evol_step2_511386",
    "x-evolution-step3-14010": "x_evol_step3_14010",
    "x-evolution-step4-7840": "x_evol_step4_7840",
    "x-eva7-setup-75828": "x_eva7_step1_75828",
    "x-eva7-plain-6748": "x_eva7_step2of10_6748",
    "x-eva7-wider-10120": "x_eva7_10120",
    "x-eva7-narrower-5308": "x_eva7_5308",
    "x-eva8-gap-9395": "x_eva8_9395",
    "x-eva8-gap-7027": "x_eva8_7027",
    "x-eva8-plain-10790": "x_eva8_step1_nobn_10790",
}
EVERYTHING = (*STEPS, *EXTRAS)

every_step = pytest.mark.parametrize("step", EVERYTHING, ids=lambda step: step.slug)
every_rung = pytest.mark.parametrize("step", STEPS, ids=lambda step: step.slug)


def facts(step: Step) -> dict:
    return FACTS[KEYS[step.slug]]


def fraction(percentage: float) -> float:
    return pytest.approx(percentage / 100, abs=1e-9)


# ---------------------------------------------------------------------------------------------------------- the order


def test_the_ladder_is_three_lineages_of_three_four_and_six_steps_in_order():
    assert [(step.lineage, step.order) for step in STEPS] == [
        *(("a", order) for order in range(1, 4)),
        *(("b", order) for order in range(1, 5)),
        *(("c", order) for order in range(1, 7)),
    ]
    assert [lineage.key for lineage in LINEAGES] == ["a", "b", "c"]
    assert [(step.lineage, step.order) for step in EXTRAS] == [("x", order) for order in range(1, 11)]


def test_every_network_of_the_facts_has_one_step():
    assert [step.slug for step in EVERYTHING] == list(KEYS)
    assert sorted(KEYS.values()) == sorted(FACTS)


def test_slugs_and_names_are_unique_and_fit_a_url():
    slugs = [step.slug for step in EVERYTHING]
    assert len(set(slugs)) == len({step.architecture.name for step in EVERYTHING}) == len(slugs) == 23
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", slug) for slug in slugs)


@every_step
def test_a_slug_begins_with_its_place_and_ends_in_its_parameter_count(step):
    place = "x" if step.lineage == "x" else f"{step.lineage}{step.order}"
    assert step.slug.startswith(f"{place}-")
    assert int(step.slug.rsplit("-", 1)[1]) == facts(step)["parameters"]


# ------------------------------------------------------------------------------------------------------- the networks


@every_step
def test_ops_shapes_and_parameters_are_those_of_the_write_up(step):
    written = [
        (type(layer.op).__name__, list(layer.output), layer.parameters) for layer in trace(step.architecture).layers
    ]
    assert written == [(row["op"], row["output"], row["parameters"]) for row in facts(step)["layers"]]


@every_step
def test_every_argument_of_every_op_is_that_of_the_write_up(step):
    for op, row in zip(step.architecture.ops, facts(step)["layers"], strict=True):
        assert {name: getattr(op, name) for name in row["arguments"]} == row["arguments"]
        others = [field for field in fields(op) if field.name not in row["arguments"]]  # torch's defaults, left out
        assert {field.name for field in others} <= {"groups", "eps", "momentum", "affine"}
        assert all(getattr(op, field.name) == field.default for field in others)
        assert getattr(op, "groups", 1) == 1


@every_step
def test_parameters_macs_and_final_field_are_those_of_the_facts(step):
    walked = classifier(step.architecture)
    assert walked.parameters == facts(step)["parameters"]
    assert walked.macs == facts(step)["conv_macs"]
    assert walked.field.size == facts(step)["final_rf"]


@every_step
def test_every_row_of_the_receptive_field_table_is_that_of_the_facts(step):
    windowed = [
        layer
        for layer in trace(step.architecture).layers
        if isinstance(layer.op, Conv | MaxPool | AvgPool | GlobalAvgPool)
    ]
    for layer, row in zip(windowed, facts(step)["rf"], strict=True):
        assert (layer.window.kernel_size, layer.output[1]) == (row["kernel_size"], row["map"]), row["layer"]
        assert (layer.field.size, layer.field.jump) == (row["size"], row["jump"]), row["layer"]
        assert layer.field.start == row["start"] - 0.5, row["layer"]  # the facts put pixel centres at i + 0.5


@every_step
def test_an_architecture_survives_json_with_and_without_its_defaults(step):
    assert architecture_from_json(architecture_to_json(step.architecture)) == step.architecture
    in_full = architecture_to_dict(step.architecture)
    in_full["ops"] = [
        {"op": type(op).__name__} | {field.name: getattr(op, field.name) for field in fields(op)}
        for op in step.architecture.ops
    ]
    assert architecture_from_dict(json.loads(json.dumps(in_full))) == step.architecture


# -------------------------------------------------------------------------------------------------------- the recipes


@every_step
def test_a_recipe_can_be_followed_and_survives_json(step):
    assert check_recipe(step.recipe) is step.recipe
    assert recipe_from_json(recipe_to_json(step.recipe)) == step.recipe


@every_step
def test_a_recipe_is_sgd_with_momentum_on_all_training_images(step):
    recipe = step.recipe
    assert (recipe.optimizer.momentum, recipe.optimizer.nesterov, recipe.optimizer.weight_decay) == (0.9, False, 0.0)
    assert (recipe.loss, recipe.validation_size, recipe.normalisation) == ("cross_entropy", 0, "mnist")
    assert recipe.watches_test == (step.slug[:2] in ("a2", "a3") or "step4" in step.slug)


def test_the_thirteen_recipes_differ_where_the_write_ups_say():
    told = {
        step.slug[:2]: (step.recipe.learning_rate, step.recipe.batch_size, step.recipe.seed, step.recipe.schedule)
        for step in STEPS
    }
    plateau = ReduceLROnPlateau(factor=0.1, patience=2, threshold=0.01, min_lr=0.0001, monitor="test")
    impatient = ReduceLROnPlateau(factor=0.1, patience=1, threshold=0.01, min_lr=0.0001, monitor="test")
    plain = (0.01, 128, 1, Constant())
    assert told == {
        "a1": (0.015, 128, 5, Constant()),
        "a2": (0.10080224034423935, 128, 5, plateau),
        "a3": (0.10470379786343671, 128, 5, impatient),
        "b4": (0.1, 64, 1, StepLR(2, 0.6)),
        "c6": (0.01, 128, 1, StepLR(6, 0.1)),
    } | dict.fromkeys(("b1", "b2", "b3", "c1", "c2", "c3", "c4", "c5"), plain)
    assert all(step.recipe.epochs == 15 for step in STEPS)


def test_only_five_of_the_thirteen_change_their_images():
    changed = {}
    for step in STEPS:
        augmentation = step.recipe.augmentation
        assert not augmentation.photometric
        if augmentation.geometric:
            assert augmentation.interpolation == "nearest"
            perspective = augmentation.perspective
            jitters = (
                augmentation.rotation.strength,
                perspective.strength and (perspective.strength, perspective.probability),
            )
            changed[step.slug[:2]] = (*jitters, round(augmentation.fill * 255))
    assert changed == {
        "a2": (15, (0.2, 0.5), 0),
        "a3": (15, (0.2, 0.5), 0),
        "b4": (7, 0, 1),
        "c5": (7, 0, 1),
        "c6": (7, 0, 1),
    }


def test_a_recipe_that_is_partly_a_stand_in_says_so():
    unknown = [step for step in EVERYTHING if not step.recipe_known]
    assert all(step.lineage == "x" for step in unknown)
    assert all("assumed" in step.claim.note or "stand" in step.claim.note for step in unknown)


# --------------------------------------------------------------------------------------------------------- the claims


@every_step
def test_a_claim_is_the_one_that_was_written(step):
    claimed = facts(step)["claimed"]
    claimed = claimed.get("part3", claimed)
    assert step.claim.best_test_accuracy == fraction(claimed["best_test"])
    if "best_train" in claimed:
        assert step.claim.best_train_accuracy == fraction(claimed["best_train"])
    else:
        assert step.claim.best_train_accuracy is None
    if claimed.get("best_test_epoch") is not None:
        assert step.claim.best_test_epoch == claimed["best_test_epoch"]


@every_rung
def test_a_log_is_the_one_that_was_printed(step):
    for log, name in ((step.claim.train_log, "train"), (step.claim.test_log, "test")):
        assert list(log) == [fraction(percentage) for percentage in facts(step)["log"][name]]
        assert len(log) == step.recipe.epochs == 15


def test_the_log_printed_for_a2_is_given_to_the_network_it_belongs_to():
    borrowed, owner = by_slug("a2-final-7758").claim, by_slug("x-evolution-step4-7840").claim
    assert (borrowed.train_log, borrowed.test_log) == (owner.train_log, owner.test_log)
    assert "x-evolution-step4-7840" in borrowed.note


@every_step
def test_a_claimed_best_is_the_best_of_its_log_unless_a_note_says_otherwise(step):
    claim = step.claim
    if claim.note or not claim.test_log:
        return
    assert claim.best_train_accuracy == max(claim.train_log)
    assert claim.best_test_accuracy == max(claim.test_log)
    assert claim.best_test_epoch == claim.test_log.index(max(claim.test_log))


def test_claims_that_disagree_with_their_log_are_b1_and_c2():
    disagree = {
        step.slug
        for step in EVERYTHING
        if step.claim.test_log
        and (
            step.claim.best_train_accuracy != max(step.claim.train_log)
            or step.claim.best_test_accuracy != max(step.claim.test_log)
        )
    }
    assert disagree == {"b1-setup-10970", "c2-skeleton-7272"}
    assert all(by_slug(slug).claim.note for slug in disagree)


@every_step
def test_accuracies_are_fractions(step):
    claim = step.claim
    figures = (claim.best_test_accuracy, *claim.train_log, *claim.test_log)
    assert all(0.5 < figure < 1 for figure in figures)


# ----------------------------------------------------------------------------------------------------------- the words


@every_rung
def test_every_step_says_what_for_what_came_out_and_why(step):
    assert all(text.endswith(".") for text in (step.target, step.result, step.analysis))
    assert bool(step.change) == (before(step) is not None)
    assert step.title
    assert "github.com/" in step.source


def test_only_dropout_and_rotation_of_lineage_c_are_fair_comparisons():
    fair = [step.slug for step in STEPS if before(step) and not step.confounded]
    assert fair == ["c4-dropout-7448", "c5-rotation-7448"]


def test_the_fair_comparisons_change_one_thing():
    third, fourth, fifth = (by_slug(f"c{slug}-7448") for slug in ("3-batchnorm", "4-dropout", "5-rotation"))
    without_dropout = tuple(op for op in fourth.architecture.ops if type(op).__name__ != "Dropout")
    assert without_dropout == third.architecture.ops
    assert fourth.recipe == third.recipe
    assert fifth.architecture.ops == fourth.architecture.ops
    assert fifth.recipe != fourth.recipe


@every_rung
def test_every_step_has_an_erratum_with_both_sides(step):
    assert step.errata
    assert all(erratum.said and erratum.right and erratum.said != erratum.right for erratum in step.errata)


@pytest.mark.parametrize(
    ("slug", "words"),
    [
        ("a1-skeleton-509946", ("negative log-likelihood", "0.015", "99.3%")),
        ("a2-final-7758", ("7,840", "0.02235", "28", "99.36%", "RandomPerspective", "98.68%", "0.0016", "int(0.13)")),
        ("a3-dilation-5340", ("67", "9, 7 and 5", "13th", "log-probabilities", "610", "99.48%", "ReduceLROnPlateau")),
        ("b1-setup-10970", ("10,000", "10,970")),
        ("b2-dropout-6864", ("5 x 5",)),
        ("b3-gap-8008", ("6,864", "8,008")),
        ("b4-rotation-7852", ("64", "128", "99.46, 99.45, 99.42 and 99.43%", "99.35%", "gamma 0.6", "1/255")),
        ("c1-setup-6379786", ("6, 10, 14, 16, 24, 32 and 40",)),
        ("c2-skeleton-7272", ("97.35%", "97.93%", "activation", "stride 4")),
        ("c3-batchnorm-7448", ("ReLU", "99.30%")),
        ("c5-rotation-7448", ("1/255",)),
        ("c6-steplr-7416", ("32 parameters", "StepLR", "1/255")),
    ],
)
def test_the_errata_name_what_is_right(slug, words):
    errata = " ".join(f"{erratum.said} {erratum.right}" for erratum in by_slug(slug).errata)
    assert [word for word in words if word not in errata] == []


def test_errata_of_a_whole_lineage_stand_with_the_lineage():
    told = {lineage.key: " ".join(erratum.right for erratum in lineage.errata) for lineage in LINEAGES}
    assert "0.130925" in told["a"]
    assert "0.308449" in told["a"]
    assert "dilation" in told["a"]
    assert "15" in told["b"]
    assert "one run" in COMMON_ERRATA[0].said
    assert "dropout" in COMMON_ERRATA[1].right


# --------------------------------------------------------------------------------------- the write-ups' own field table


def test_wrong_sizes_stand_beside_the_right_ones():
    told = {
        step.slug[:2]: [
            (claim.layer, claim.size, layer.field.size)
            for claim in step.field_claims
            for layer in trace(step.architecture).layers
            if layer.name == claim.layer and claim.size
        ]
        for step in STEPS
    }
    assert {place: rows for place, rows in told.items() if rows} == {
        "a2": [
            ("maxpool1", 18, 10), ("conv5", 20, 14), ("conv6", 22, 18), ("conv7", 24, 22), ("conv8", 24, 28),
        ],
        "a3": [
            ("maxpool1", 15, 8), ("conv4", 15, 8), ("conv5", 19, 16), ("conv6", 27, 24), ("conv7", 35, 32),
            ("globalavgpool1", 67, 40),
        ],
        "c1": [
            ("maxpool1", 10, 6), ("conv3", 12, 10), ("conv4", 14, 14), ("maxpool2", 28, 16), ("conv5", 30, 24),
            ("conv6", 32, 32), ("conv7", 34, 40),
        ],
    }  # fmt: skip


def test_wrong_strides_widths_and_kernels_stand_beside_the_right_ones():
    layers = {layer.name: layer for layer in trace(by_slug("a3-dilation-5340").architecture).layers}
    claims = {claim.layer: claim for claim in by_slug("a3-dilation-5340").field_claims}
    assert [(claims[name].width, layers[name].output[1]) for name in ("conv5", "conv6", "conv7")] == [
        (11, 9),
        (11, 7),
        (11, 5),
    ]
    assert (claims["globalavgpool1"].kernel_size, layers["globalavgpool1"].window.kernel_size) == (11, 5)
    for step in STEPS:
        if step.lineage == "c" and step.order > 1:
            layers = {layer.name: layer for layer in trace(step.architecture).layers}
            pool, last = step.field_claims
            assert (pool.stride, layers[pool.layer].window.stride) == (1, 4)
            assert (pool.jump, layers[pool.layer].field.jump) == (2, 8)
            assert (last.jump, layers[last.layer].field.jump) == (2, 8)


@every_step
def test_every_field_claim_names_a_layer_and_a_number(step):
    names = {layer.name for layer in trace(step.architecture).layers}
    for claim in step.field_claims:
        assert claim.layer in names
        assert any((claim.size, claim.jump, claim.kernel_size, claim.stride, claim.width))


# ------------------------------------------------------------------------------------------------------------- look-up


@every_step
def test_a_step_is_found_by_its_slug(step):
    assert by_slug(step.slug) is step


@pytest.mark.parametrize(
    ("count", "slug"),
    [
        ("7758", "a2-final-7758"),
        ("5,340", "a3-dilation-5340"),
        ("7852", "b4-rotation-7852"),
        ("7,416", "c6-steplr-7416"),
        ("7840", "x-evolution-step4-7840"),
    ],
)
def test_a_step_is_found_by_a_parameter_count_that_only_it_has(count, slug):
    assert by_slug(count).slug == slug


def test_a_parameter_count_that_several_have_names_them():
    with pytest.raises(SpecError, match="7 steps have 7,448 parameters: c3-batchnorm-7448, c4-dropout-7448, c5-"):
        by_slug("7448")


@pytest.mark.parametrize("slug", ["", "a9", "s001_final_7758", "A2-final-7758", "7759", "²", "x" * 500])
def test_an_unknown_step_is_named_beside_those_there_are(slug):
    with pytest.raises(SpecError, match=r"^there is no step '.*; the steps are a1-skeleton-509946, ") as caught:
        by_slug(slug)
    assert all(step.slug in str(caught.value) for step in EVERYTHING)
    assert "x" * 100 not in str(caught.value)


def test_before_walks_down_one_lineage_and_stops_at_its_first_step():
    for step in STEPS:
        previous = before(step)
        if step.order == 1:
            assert previous is None
        else:
            assert (previous.lineage, previous.order) == (step.lineage, step.order - 1)
    assert all(before(step) is None for step in EXTRAS)


def test_every_step_belongs_to_a_lineage():
    assert [lineage_of(step).key for step in EVERYTHING] == [step.lineage for step in EVERYTHING]
    assert lineage_of(EXTRAS[0]) is RELATIVES


# ------------------------------------------------------------------------------------------------------ our own lineage


@pytest.mark.parametrize("step", OURS, ids=lambda step: step.slug)
def test_a_step_of_our_own_claims_nothing_and_keeps_to_the_challenge(step: Step) -> None:
    walked = classifier(step.architecture)
    assert step.slug.endswith(f"-{walked.parameters}")
    assert (step.lineage, step.claim) == ("d", None)
    assert walked.parameters <= CHALLENGE.parameters
    assert step.recipe.epochs <= CHALLENGE.epochs
    assert not step.recipe.watches_test
    assert step.change
    assert lineage_of(step) is OWN


def test_each_of_our_rungs_changes_one_thing_or_says_what_changes_with_it() -> None:
    assert [step.order for step in OURS] == list(range(1, len(OURS) + 1))
    first = OURS[0]
    assert first.architecture.ops == by_slug("c3-batchnorm-7448").architecture.ops
    for previous, step in itertools.pairwise(OURS):
        changed = [name for name, value in vars(step.recipe).items() if value != getattr(previous.recipe, name)]
        if "optimizer" in changed:
            changed.remove("learning_rate")  # another optimizer needs a rate of its own
        if "ema_decay" in changed and "ema_warm_up" in changed:
            changed.remove("ema_warm_up")  # an average and how it begins are one thing
        count = len(changed) + (step.architecture.ops != previous.architecture.ops)
        assert count == 1 or (count > 1 and step.confounded)
        assert before(step) is previous


def test_the_clean_comparisons_name_steps_and_variants_and_change_one_thing() -> None:
    known = {step.slug: step for step in LADDER} | {variant.name: variant for variant in variants()}
    for each in CLEAN_COMPARISONS:
        assert by_slug(each.step)
        first, second = known[each.before], known[each.after]
        assert (first.architecture.ops, first.recipe) != (second.architecture.ops, second.recipe)
    for variant in variants():
        step = by_slug(variant.of)
        assert (variant.architecture.ops == step.architecture.ops) != (variant.measured_recipe == step.measured_recipe)
