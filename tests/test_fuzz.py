"""Bad input, a few of each kind; `python -m tests.fuzz` puts in a hundred thousand. The law is told there."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from core.advice.advice import advice
from core.architecture.spec import Architecture, Conv, Flatten, GlobalAvgPool, Linear, MaxPool, Op, ReLU
from core.errors import LabError
from core.ladder.catalogue import LADDER
from core.ladder.relatives import EXTRAS
from lab.cli.parser import main
from lab.runs.affordable import affordable, field_images
from tests import fuzz, hostile

EXAMPLES = 40  # of a door whose share is one
NAMES = (
    *("architectures", "links", "networks shown", "networks built", "edits", "recipes", "cards", "predictions"),
    *("settings", "uploaded pictures", "saved designs", "checkpoints", "resume files", "names, tags, nicknames"),
    *("handwriting", "votes", "words", "command lines", "pages"),
)
WITH_DATA = ("command lines", "pages")  # the others read no data set


def test_every_door_is_tried() -> None:
    assert set(NAMES) == set(fuzz.targets())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in WITH_DATA else pytest.mark.own_data) for name in NAMES]
)
def test_bad_input_gives_a_sentence_soon_and_in_little_memory(name: str, home: Path) -> None:
    target, tally = fuzz.targets()[name], fuzz.Tally()
    fuzz.warm({name: target})
    fuzz.run(target, max(2, round(EXAMPLES * min(2, target.share))), 0, tally)
    assert tally.inputs
    assert tally.broken == []
    assert not (home / "broken-in").exists()  # a pickle's doing


# ------------------------------------------------------------------------------------------- what a search rarely finds


@pytest.mark.own_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "mode", "options"),
    [
        *(("PNG", "RGBA", {}), ("PNG", "I;16", {}), ("TIFF", "I", {}), ("TIFF", "F", {}), ("JPEG", "CMYK", {})),
        *(("PNG", "RGB", {"transparency": (0, 0, 0)}), ("JPEG", "RGB", {"progressive": True}), ("GIF", "P", {})),
    ],
)
def test_the_largest_picture_takes_less_than_its_bounds(form: str, mode: str, options: dict[str, Any]) -> None:
    content = hostile.large_picture(form, mode, 5_000, 4_000, **options)
    fuzz.obey(fuzz.take_picture, content, fuzz.Tally())


def test_a_jpeg_of_endless_scans_is_refused_before_they_are_drawn() -> None:
    content = hostile.large_picture("JPEG", "L", 2_000, 2_000, progressive=True)
    last = content.rindex(b"\xff\xc4", 0, content.rindex(b"\xff\xda"))  # the last scan, with its table
    bomb = content[:-2] + content[last:-2] * 10_000 + content[-2:]
    with pytest.raises(LabError, match=r"scans, at most 100 are read"):
        fuzz.take_picture(bomb)


@pytest.mark.parametrize(
    ("ops", "words"),
    [
        ((Flatten(), Linear(4096), Linear(3000)), "parameters"),
        ((Conv(500, 27, padding=13), Conv(20, 5)), "MACs"),
        ((Conv(600, 1), *[MaxPool(27, 1, 13)] * 4), "pools that read"),
    ],
)
def test_a_design_that_is_too_much_to_build_is_told_both_numbers(ops: tuple[Op, ...], words: str) -> None:
    with pytest.raises(LabError, match=words) as caught:
        affordable(Architecture("much", ops))
    assert re.search(r"[\d,]{9,}.*, at most [\d,]{9,} are allowed on this server", str(caught.value))


def test_every_network_of_the_lab_may_be_built() -> None:
    for step in (*LADDER, *EXTRAS):
        assert field_images(affordable(step.architecture)) >= 5


def test_an_upload_of_nothing_but_brackets_is_no_design() -> None:
    for text in ("[" * 1_000_000, '{"ops":' * 100_000, "9" * 1_000_000, '{"a":1,' * 100_000):
        with pytest.raises(LabError):
            fuzz.take_architecture(text)


def test_thin_and_wide_layers_are_followed_over_fewer_images() -> None:
    """They take longer than their MACs say: over as many as others get, 2.8 s."""
    wide, thin = Architecture("wide", (Conv(500, 1),)), Architecture("thin", (Conv(500, 5),))
    for spec, most in ((wide, 40), (thin, 25)):
        assert 5 <= field_images(affordable(spec)) <= most


def test_a_kernel_that_takes_seconds_for_one_image_is_told_both_numbers() -> None:
    """Of the MACs that are allowed, from and to one channel: 2.1 s for a single image."""
    large = Architecture("large", (Conv(1, 256, stride=14, padding=512), GlobalAvgPool(), Linear(10)))
    with pytest.raises(LabError, match=r"[\d,]{9,} MACs for one image, at most [\d,]{9,} are allowed"):
        field_images(affordable(large))


def test_a_long_design_that_does_not_fit_is_advised_on_at_once() -> None:
    """It took 2.4 s to try each of eighty flattens; a second time it came from a cache."""
    ops = (Flatten(), Linear(16), ReLU()) * 80 + (Conv(8, 3),)
    began = time.process_time()
    assert advice(Architecture("long", ops))[0].topic == "fit"
    assert time.process_time() - began < 1


@pytest.mark.parametrize("argument", ["\ud800", "a\udcffb\ud801"])
def test_an_argument_that_is_no_text_is_refused_in_one_line(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["predict", argument, "--checkpoint", "c6-steplr-7416"])
    assert caught.value.code == 2
    assert "not valid text" in capsys.readouterr().err


def test_a_picture_that_its_decoder_did_not_foresee_is_refused_in_a_sentence() -> None:
    """Pillow asserts that a palette follows."""
    cut = bytes.fromhex("89504e470d0a1a0a0000000d494844520000000100000001010300000025db56ca0000001149444154789c636018")
    with pytest.raises(LabError, match=r"damaged, [\d,]+ bytes"):
        fuzz.take_picture(cut)
