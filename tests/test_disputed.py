"""The list of disputed labels against MNIST itself and against what the study says of it."""

from __future__ import annotations

from pathlib import Path

from core.data.disputed import DISPUTED, disputed
from core.data.mnist import load_split


def test_every_listed_label_is_the_one_mnist_gives(mnist_raw: Path) -> None:
    labels = load_split("MNIST", "test").labels
    assert [int(labels[each.index]) for each in DISPUTED] == [each.label for each in DISPUTED]


def test_they_are_the_studys_15_and_most_of_its_five_people_saw_no_such_digit() -> None:
    assert len({each.index for each in DISPUTED}) == 15  # Table 2 of the paper, and its 0.15% of MNIST's test set
    for each in DISPUTED:
        assert each.for_label + each.for_suggested + each.for_neither == 5
        assert each.for_label < 3
        assert each.suggested != each.label


def test_no_other_image_split_or_data_set_is_disputed() -> None:
    index = DISPUTED[0].index
    assert disputed("MNIST", "test", index) is DISPUTED[0]
    assert disputed("MNIST", "test", index + 1) is None
    assert disputed("MNIST", "train", index) is None
    assert disputed("FashionMNIST", "test", index) is None


def test_the_votes_are_told_in_words() -> None:
    assert disputed("MNIST", "test", 947).words == "of five people 0 saw an 8, 5 a 9"  # type: ignore[union-attr]
    assert disputed("MNIST", "test", 2130).words.endswith("2 saw a 4, 2 a 9, 1 neither")  # type: ignore[union-attr]
