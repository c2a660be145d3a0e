"""The class's own digits: kept, bounded, deleted by their own, taken home, and read by every checkpoint."""

from __future__ import annotations

import csv
import hashlib
import io
import sqlite3
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.analysis.proportion import wilson
from core.data.drawn_digit import Grey
from core.data.embedded_digits import embedded_digits
from core.data.mnist import EMBEDDED
from core.errors import HandwritingError, LabError
from core.training.network import build
from lab.classroom import handwriting
from lab.classroom.handwriting import FILE_NAME, Handwriting, as_split
from lab.runs.person import Person
from lab.ui.owner import SESSION
from tests.test_learn_pages import opened, said
from tests.test_use_pages import save
from tests.tiny import TINY

HANDWRITING = "pages/use/handwriting.py"


def digits(count: int) -> tuple[Grey, list[int]]:
    images, labels = embedded_digits()
    return images[:count], [int(label) for label in labels[:count]]


def filled(folder: Path, count: int, nickname: str = "Ada", author: str = "someone") -> Handwriting:
    ours = Handwriting(folder)
    for image, label in zip(*digits(count), strict=True):
        ours.keep(image, np.kron(image, np.ones((10, 10), np.uint8)), label, nickname, author)
    return ours


def test_what_is_kept_comes_back_after_the_file_is_opened_again(tmp_path: Path) -> None:
    filled(tmp_path, 7)
    images, labels = digits(7)
    again = Handwriting(tmp_path)
    found = again.drawings()
    assert again.count() == 7
    assert [each.label for each in found] == labels[::-1]
    assert np.array_equal(as_split(found).images, images[::-1])
    assert {each.nickname for each in found} == {"Ada"}
    assert [each.label for each in again.drawings(labels[0])] == [each for each in labels[::-1] if each == labels[0]]


def test_a_set_that_many_open_at_once_is_made_once_and_keeps_what_each_brings(tmp_path: Path) -> None:
    images, labels = digits(24)

    def bring(place: int) -> int:
        return Handwriting(tmp_path).keep(images[place], images[place], labels[place], "Ada", "someone")

    with ThreadPoolExecutor(24) as pool:  # one may switch the log while others read the file
        numbers = list(pool.map(bring, range(24)))
    assert len(set(numbers)) == Handwriting(tmp_path).count() == 24


def test_the_export_is_the_set_as_pictures_with_safe_names_and_no_formula(tmp_path: Path) -> None:
    ours = filled(tmp_path, 3)
    (image,), (label,) = digits(5)[0][4:], digits(5)[1][4:]
    number = ours.keep(image, np.zeros((280, 280), np.uint8), label, "=2+3 ../../\n<b>", "someone", moment=0.0)
    archive = zipfile.ZipFile(io.BytesIO(ours.export()))
    rows = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
    assert len(rows) == 4
    assert all(name.replace("/", "").replace("-", "").replace(".", "").isalnum() for name in archive.namelist())
    for row in rows:
        read = np.asarray(Image.open(io.BytesIO(archive.read(f"digits/{row['file']}"))))
        assert read.shape == (28, 28)
        assert np.asarray(Image.open(io.BytesIO(archive.read(f"drawings/{row['file']}")))).shape == (280, 280)
        assert row["file"].endswith(f"-{row['label']}.png")
    assert np.array_equal(read, image)
    assert rows[-1] == {
        "file": f"{number:05}-{label}.png",
        "label": str(label),
        "nickname": "'=2+3 ../../ <b>",
        "moment": "1970-01-01T00:00:00+00:00",
    }


def test_only_ones_own_drawing_is_deleted(tmp_path: Path) -> None:
    ours = filled(tmp_path, 2, "", "me")
    first, second = sorted(each.number for each in ours.drawings())
    for other in (Person("another"), Person("another", "Ada"), Person()):
        with pytest.raises(HandwritingError, match=f"drawing {first} is not yours"):
            ours.delete(first, other)
    ours.delete(first, Person("me"))
    assert [each.number for each in ours.drawings()] == [second]
    with pytest.raises(HandwritingError, match="no longer there"):
        ours.delete(first, Person("me"))
    image = digits(1)[0][0]
    of_ada = ours.keep(image, image, 3, "Ada", "her phone")
    assert of_ada > second  # a number is never used again, so that answers kept by number stay right
    with pytest.raises(HandwritingError, match="not yours"):
        ours.delete(of_ada, Person("another phone", "Ada"))  # a nickname is nobody's own
    ours.delete(of_ada, Person("a desk", teacher=True))


def test_the_set_is_bounded_and_keeps_no_drawing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = filled(tmp_path, 2)
    images, labels = digits(3)
    with pytest.raises(HandwritingError, match="kept already, as number 1"):
        ours.keep(images[0], np.kron(images[0], np.ones((10, 10), np.uint8)), labels[0], "Bo", "other")
    monkeypatch.setattr(handwriting, "MOST", 2)
    with pytest.raises(HandwritingError, match="it has 2 drawings, at most 2"):
        ours.keep(images[2], images[2], labels[2], "Bo", "other")
    monkeypatch.setattr(handwriting, "MAX_BYTES", 50)
    with pytest.raises(HandwritingError, match="at most 50 are kept"):
        ours.keep(images[2], images[2], labels[2], "Bo", "other")
    assert ours.count() == 2


def test_what_cannot_be_kept_is_refused_with_both_numbers(tmp_path: Path) -> None:
    ours, image = Handwriting(tmp_path), digits(1)[0][0]
    with pytest.raises(HandwritingError, match="0 to 9, got 12"):
        ours.keep(image, image, 12, "", "me")
    with pytest.raises(HandwritingError, match=r"\(28, 28\) in uint8, got \(27, 28\)"):
        ours.keep(image[1:], image, 1, "", "me")
    assert ours.keep(image, image, 1, "x" * 200, "me")
    assert len(ours.drawings()[0].nickname) == handwriting.LONGEST_NAME


def test_a_whole_class_may_keep_at_once(tmp_path: Path) -> None:
    images, labels = digits(60)
    Handwriting(tmp_path)

    def keep(number: int) -> int:
        return Handwriting(tmp_path).keep(images[number], images[number], labels[number], f"{number}", "me")

    with ThreadPoolExecutor(12) as pool:
        numbers = list(pool.map(keep, range(60)))
    assert sorted(numbers) == list(range(1, 61))


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be looked at" * 20, "another"])
def test_a_file_that_is_not_ours_is_refused_and_left_alone(tmp_path: Path, content: bytes | str) -> None:
    file = tmp_path / FILE_NAME
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        with sqlite3.connect(file) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        connection.close()
    before = file.read_bytes()
    with pytest.raises(HandwritingError, match=FILE_NAME):
        Handwriting(tmp_path)
    assert file.read_bytes() == before
    assert issubclass(HandwritingError, LabError)


@pytest.fixture
def two(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two untrained networks; MNIST is absent, and no shipped checkpoint is there."""
    monkeypatch.setenv("LAB_DATA", "/nonexistent")
    monkeypatch.setattr("lab.studies.shelf.SHIPPED", home / "none")
    save(home, "first", EMBEDDED)
    save(home, "second", EMBEDDED, seed=4)
    save(home, "clothes", "FashionMNIST")


def test_the_page_scores_every_checkpoint_as_torch_counts_with_wilsons_interval(two: None, home: Path) -> None:
    filled(home, 40)
    images, labels = digits(40)
    given = (torch.tensor(images).unsqueeze(1) / 255 - 0.1307) / 0.3081
    with torch.no_grad():
        wanted = {
            name: int((build(TINY, seed).eval()(given).argmax(1).numpy() == labels).sum())
            for name, seed in (("first", 3), ("second", 4))
        }
    app = opened(HANDWRITING)
    assert not app.exception
    table = app.dataframe[0].value
    found = dict(zip(table["checkpoint"].str.split(" · ").str[1], table["right"], strict=True))
    assert found == wanted  # and no network that reads clothes
    for _, row in table.iterrows():
        low, high = wilson(row["right"], 40)
        assert row["95% interval"] == f"{low:.1%} to {high:.1%}"
        assert row["our digits, %"] == pytest.approx(100 * row["right"] / 40)
    assert list(table["right"]) == sorted(wanted.values(), reverse=True)
    assert not opened(HANDWRITING, scores_as="Chart").exception


def test_the_gallery_shows_the_hardest_first_and_filters_by_digit(two: None, home: Path) -> None:
    filled(home, 40)
    words = [each.value for each in opened(HANDWRITING).markdown if "read it" in each.value]
    agreed = [int(each.split(" of 2 read it")[0].rsplit("\n", 1)[1]) for each in words]
    assert len(agreed) == 40
    assert agreed == sorted(agreed)
    threes = [each.value for each in opened(HANDWRITING, label="3").markdown if "read it" in each.value]
    assert len(threes) == digits(40)[1].count(3)
    assert all(":small[**3**" in each for each in threes)
    assert not opened(HANDWRITING, label="x").exception


def test_a_nickname_is_shown_and_never_marked_up(two: None, home: Path) -> None:
    filled(home, 1, "<b>[x](y)")
    assert r"\<b\>\[x\](y)" in said(opened(HANDWRITING))


def test_whoever_has_the_browser_may_delete_and_a_nickname_is_not_enough(two: None, home: Path) -> None:
    app = opened(HANDWRITING, me="Ada")
    key = hashlib.sha256(app.session_state[SESSION].encode()).hexdigest()  # there are no cookies here
    filled(home, 2, "Ada", key)
    assert not [each for each in opened(HANDWRITING, me="Ada").button if each.label == "Delete"]
    app.run()
    next(each for each in app.button if each.label == "Delete").click().run()
    assert not app.exception
    assert Handwriting(home).count() == 1


def test_an_empty_set_says_what_to_do(two: None) -> None:
    app = opened(HANDWRITING)
    assert not app.exception
    assert "Nobody has kept a drawing yet" in said(app)


def test_a_damaged_set_is_one_sentence(two: None, home: Path) -> None:
    (home / FILE_NAME).write_bytes(b"damaged" * 1000)
    app = opened(HANDWRITING)
    assert not app.exception
    assert len(app.error) == 1
