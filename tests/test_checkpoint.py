"""Checkpoints: the pair comes back as it was saved, and one clear sentence for every pair that is not whole."""

from __future__ import annotations

import hashlib
import json
import resource
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.architecture.spec import Architecture, Conv, Flatten, GlobalAvgPool, Linear
from core.checkpoints import checkpoint
from core.checkpoints.card import Card, card_from_dict, card_to_dict, read_card
from core.errors import CheckpointError
from core.training.history import EpochRecord
from core.training.network import build
from core.training.recipe import Adam, Cosine, Recipe
from core.training.resident import Normalisation
from tests.tiny import PLAIN, TINY, same

HISTORY = (
    EpochRecord(0, 0.7, 0.8, 0.5, 0.9, 0.4, 0.99, 0.02, 1.5),
    EpochRecord(1, 0.5, 0.9, 0.4, 0.95, 0.3, 0.995, 0.01, 1.5),
    EpochRecord(2, 0.4, 0.92, None, None, 0.3, 0.993, 0.0, 1.25),
    EpochRecord(3, 0.4, 0.92, None, None, 0.3, 0.996, 0.0, 1.25),
)


def card(architecture: Architecture = TINY) -> Card:
    parameters = sum(each.numel() for each in build(architecture).parameters())
    recipe = Recipe(epochs=4, optimizer=Adam(0.8), schedule=Cosine(), validation_size=5000)
    return Card(
        name="tiny",
        slug="",
        architecture=architecture,
        recipe=recipe,
        dataset="embedded digits",
        choice="best on validation",
        epoch=3,
        history=HISTORY,
        parameters=parameters,
        normalisation_mean=0.2,
        normalisation_sd=0.4,
        train_images=1317,
        validation_images=120,
        test_images=360,
        device="cpu",
        versions={"python": "3.11", "torch": "2.13"},
        seconds=5.5,
        created="2025-01-01T00:00:00+00:00",
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The stem of a saved pair."""
    checkpoint.save(tmp_path, "pair", build(TINY, 1).state_dict(), card())
    return tmp_path / "pair"


def rewrite(saved: Path, **changes: Any) -> None:
    path = saved.with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rehash(saved: Path) -> None:
    """Make the card agree with the weights' file as it now is."""
    rewrite(saved, weights_sha256=hashlib.sha256(saved.with_suffix(".safetensors").read_bytes()).hexdigest())


# ----------------------------------------------------------------------------------------------------- there and back


@pytest.mark.parametrize("ending", ["", ".json", ".safetensors"])
def test_a_pair_comes_back_bit_for_bit_ready_to_evaluate(saved: Path, ending: str) -> None:
    network, found = checkpoint.load(saved.with_name("pair" + ending))
    original = build(TINY, 1).eval()
    assert not network.training
    images = torch.rand(2, 1, 28, 28)
    assert torch.equal(network(images), original(images))
    content = saved.with_suffix(".safetensors").read_bytes()
    assert found == replace(card(), weights_sha256=hashlib.sha256(content).hexdigest())
    assert checkpoint.normalisation_of(found) == Normalisation(0.2, 0.4)


def test_a_name_with_dots_is_a_name(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, "my.run-1.5", build(PLAIN, 1).state_dict(), card(PLAIN))
    assert checkpoint.load(tmp_path / "my.run-1.5")[1].name == "tiny"


def test_nothing_but_the_pair_is_left_in_the_folder(saved: Path) -> None:
    checkpoint.save(saved.parent, "pair", build(TINY, 2).state_dict(), card())
    assert sorted(path.name for path in saved.parent.iterdir()) == ["pair.json", "pair.safetensors"]


def test_other_programs_read_the_weights(saved: Path) -> None:
    theirs, ours = load_file(saved.with_suffix(".safetensors")), build(TINY, 1).state_dict()
    assert all(torch.equal(theirs[name], tensor) for name, tensor in ours.items())


def test_the_card_says_when_the_target_was_reached_and_from_when_it_was_held() -> None:
    assert (card().first_reached, card().held_from) == (1, 3)
    assert card().record == HISTORY[3]


# ------------------------------------------------------------------------------------------------------ what is broken


def test_a_missing_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.json: there is no such card"):
        checkpoint.load(tmp_path / "nothing")


def test_missing_weights_are_named(saved: Path) -> None:
    saved.with_suffix(".safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"pair\.safetensors: the weights cannot be read: it is not there"):
        checkpoint.load(saved)


@pytest.mark.parametrize("left", [0, 7, 100, -1])
def test_weights_that_were_cut_short_are_refused_with_their_size(saved: Path, left: int) -> None:
    path = saved.with_suffix(".safetensors")
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(CheckpointError, match=rf"{path.stat().st_size:,} bytes\) was cut short") as raised:
        checkpoint.load(saved)
    assert str(raised.value).count("...") == 2  # both hashes


def test_a_single_altered_bit_is_noticed(saved: Path) -> None:
    path = saved.with_suffix(".safetensors")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="SHA-256"):
        checkpoint.load(saved)


def test_the_weights_of_another_card_are_refused(saved: Path, tmp_path: Path) -> None:
    save_file(build(TINY, 2).state_dict(), saved.with_suffix(".safetensors"))  # as every file was before they had cards
    with pytest.raises(CheckpointError, match="belongs to another card"):
        checkpoint.load(saved)


def test_weights_without_a_card_inside_are_those_of_the_card_beside_them(saved: Path) -> None:
    save_file(build(TINY, 2).state_dict(), saved.with_suffix(".safetensors"))
    rehash(saved)
    assert same(checkpoint.load(saved)[0].state_dict(), build(TINY, 2).state_dict())


@pytest.mark.parametrize("architecture", [TINY, PLAIN])
def test_after_a_kill_between_the_two_files_the_pair_is_the_new_one(saved: Path, architecture: Architecture) -> None:
    old = saved.with_suffix(".json").read_bytes()
    newer = replace(card(architecture), name="newer")
    stamped = checkpoint.save(saved.parent, "pair", build(architecture, 2).state_dict(), newer)
    saved.with_suffix(".json").write_bytes(old)
    network, found = checkpoint.load(saved)
    assert found == stamped
    assert same(network.state_dict(), build(architecture, 2).state_dict())


def test_an_altered_card_inside_the_weights_is_refused(saved: Path) -> None:
    path = saved.with_suffix(".safetensors")
    content = path.read_bytes()
    assert content.count(b"embedded digits") == 1
    path.write_bytes(content.replace(b"embedded digits", b"embedded dogmas"))
    with pytest.raises(CheckpointError, match="SHA-256"):
        checkpoint.load(saved)


@pytest.mark.parametrize(
    ("architecture", "parameters", "says"),
    [
        (PLAIN, 7, r"says 7 parameters, its architecture has 2,\d+"),
        (replace(PLAIN, input=(1, 32, 32)), 7, "takes 1 x 32 x 32, digits are 1 x 28 x 28"),
        (replace(PLAIN, ops=(*PLAIN.ops[:-1], Linear(9))), 7, "9 values, not in 10 outputs"),
    ],
    ids=["parameters", "input", "outputs"],
)
def test_a_card_that_disagrees_with_its_architecture_is_refused(
    saved: Path, architecture: Architecture, parameters: int, says: str
) -> None:
    rewrite(saved, architecture=card_to_dict(card(architecture))["architecture"], parameters=parameters)
    with pytest.raises(CheckpointError, match=rf"pair\.json: .*{says}"):
        read_card(saved.with_suffix(".json"))


def test_a_card_with_another_architecture_is_refused(saved: Path) -> None:
    narrow = Architecture("narrow", (Conv(10, 3), GlobalAvgPool(), Flatten()))
    rewrite(saved, architecture=card_to_dict(card(narrow))["architecture"], parameters=100)
    with pytest.raises(CheckpointError, match="do not fit the card's architecture"):
        checkpoint.load(saved)


def test_weights_under_other_names_are_refused(saved: Path) -> None:
    save_file({"x": torch.zeros(3)}, saved.with_suffix(".safetensors"))
    rehash(saved)
    with pytest.raises(CheckpointError, match="do not fit the card's architecture"):
        checkpoint.load(saved)


def test_a_file_that_is_no_safetensors_is_refused_even_if_the_hash_agrees(saved: Path) -> None:
    saved.with_suffix(".safetensors").write_bytes(b"\x80\x02not tensors" * 9)
    rehash(saved)
    with pytest.raises(CheckpointError, match="do not fit"):
        checkpoint.load(saved)


def test_the_card_of_another_version_is_refused_with_both_versions(saved: Path) -> None:
    rewrite(saved, version=2)
    with pytest.raises(CheckpointError, match="version is 2, this lab reads version 1"):
        checkpoint.load(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"card"', "{}", '{"version": 1}', "\x00", "[" * 99_999])
def test_a_card_that_is_no_card_is_refused(saved: Path, text: str) -> None:
    saved.with_suffix(".json").write_text(text)
    with pytest.raises(CheckpointError, match=r"pair\.json: ") as raised:
        checkpoint.load(saved)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", sorted(card_to_dict(card())))
@pytest.mark.parametrize("value", [None, "words", -1, 1e400, [], {}, ["x"], True, [[1]]], ids=repr)
def test_a_card_with_one_wrong_field_is_refused_or_can_be_shown(saved: Path, name: str, value: object) -> None:
    """Where a wrong value is still of the field's type, all that the lab does with a card must work."""
    rewrite(saved, **{name: value})
    try:
        found = read_card(saved.with_suffix(".json"))
    except CheckpointError:
        return
    f"{found.name} {found.slug} {found.parameters:,} {found.seconds:.1f} {found.record.test_accuracy:.2%}"
    assert [found.first_reached, found.held_from]
    assert found.created + found.device + found.weights_sha256[:12] + found.dataset
    assert all(f"{k} {v}" for k, v in found.versions.items())
    assert found.train_images + found.validation_images + found.test_images >= 0
    assert card_from_dict(card_to_dict(found), "again") == found


def test_a_disk_that_takes_no_more_is_an_error_of_ours_and_leaves_the_old_pair(saved: Path) -> None:
    before = saved.with_suffix(".safetensors").read_bytes()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        with pytest.raises(CheckpointError, match=r"[\d,]+ bytes could not be written: File too large"):
            checkpoint.save(saved.parent, "pair", build(TINY, 2).state_dict(), card())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)
    assert saved.with_suffix(".safetensors").read_bytes() == before
    assert len(list(saved.parent.iterdir())) == 2
    checkpoint.load(saved)
