"""A challenge of the class's own: all that speaks of the challenge follows it, and agrees with a count by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from core.advice.advice import advice
from core.analysis.diagnosis.finding import RunFigures, train_longer
from core.analysis.study import SeedRun, summary
from core.architecture.trace import classifier
from core.challenge import CHALLENGE, Challenge, Data, challenge_from_dict, checked, target_of
from core.data.mnist import DATASETS
from core.errors import ChangedError, ClassError, SettingsError
from core.ladder import catalogue
from core.record import write
from core.training.recipe import Recipe
from lab.classroom.actions import set_challenge
from lab.classroom.class_lock import hash_of
from lab.learn.lessons import lesson_of
from lab.learn.lessons.scene import told
from lab.runs import supervisor
from lab.runs.challenge import challenge_here, challenge_now
from lab.runs.person import Person
from lab.runs.store import RunStore
from lab.settings import lab_home, read_settings, settings
from lab.studies.entries import find
from lab.studies.ranking import standings
from lab.studies.reference import findings_of
from lab.studies.results import held_in_words
from lab.ui.outcome import conditions_of
from tests.made_runs import history, made_run
from tests.test_learn_pages import metric, opened, said

pytestmark = pytest.mark.own_data

PASSPHRASE = "correct horse battery"
STUDENT, TEACHER = Person("anna", "Anna"), Person("bell", "Ms Bell", teacher=True)
OTHER = Challenge(accuracy=0.99, epochs=20, parameters=20_000)  # of a public assignment of this course


@st.composite
def challenges(draw: st.DrawFn) -> Challenge:
    epochs = draw(st.integers(1, 12))
    return Challenge(
        draw(st.sampled_from(get_args(Data))),
        draw(st.integers(9_800, 9_990)) / 10_000,
        draw(st.integers(1, epochs)),
        epochs,
        draw(st.sampled_from([100, 433, 434, 435, 8_000, 20_000])),
    )


def by_hand(curve: list[float], parameters: int, asked: Challenge) -> tuple[bool, bool, bool]:
    """Held, short, small."""
    reached = 0
    for accuracy in reversed(curve):
        if accuracy < asked.accuracy - 1e-9:
            break
        reached += 1
    return reached >= asked.held_epochs, len(curve) <= asked.epochs, parameters <= asked.parameters


@pytest.fixture
def store(home: object) -> Iterator[RunStore]:
    found = RunStore(lab_home())
    yield found
    found.close()


accuracies = st.lists(st.integers(9_790, 9_999).map(lambda images: images / 10_000), min_size=1, max_size=15)


@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(challenges(), accuracies)
def test_board_outcome_and_diagnosis_agree_with_a_count_by_hand(
    store: RunStore, asked: Challenge, curve: list[float]
) -> None:
    rows = store.entries(1) or [[made_run(store, [0.99] * 3)]]
    (run,) = (replace(each, dataset=asked.dataset) for each in rows[0])
    records = history(*curve)
    held, short, small = by_hand(curve, run.parameters, asked)
    met = held and short and small

    (row,) = standings([[run]], lambda _: records, asked)
    assert (row.challenge.mostly_held, row.challenge.short, row.challenge.small, row.passed) == (
        held,
        short,
        small,
        met,
    )

    runs = (SeedRun(1, tuple(records), "cpu", "", ""),)
    entry = replace(find(store, run.id), runs=runs, members=(), dataset=asked.dataset, challenge=asked)
    assert [each.met for each in conditions_of(entry)] == [held, short, small]
    assert row.figures.held == min(curve[-asked.held_epochs :])
    assert asked.target in held_in_words(row.figures)
    assert ("does not hold" in held_in_words(row.figures)) == (not held and len(curve) >= asked.held_epochs)

    kinds = {finding.kind for finding in findings_of(run, records, [], asked)}
    assert "target met" not in kinds or curve[-1] >= asked.accuracy - 1e-9
    assert "target missed" not in kinds or curve[-1] < asked.accuracy
    longer = train_longer(RunFigures(tuple(records), Recipe(epochs=len(records)), challenge=asked))
    assert longer.startswith("More epochs: the challenge allows" if len(curve) < asked.epochs else "More epochs would")
    assert f"allows {asked.epochs}" in longer


@given(challenges())
def test_a_challenge_survives_json(asked: Challenge) -> None:
    assert challenge_from_dict(write(asked), "here") == asked


def test_the_defaults_are_those_of_the_recipe_and_of_the_data() -> None:
    assert Recipe().target_accuracy == CHALLENGE.accuracy
    assert get_args(Data) == DATASETS
    assert target_of(0.994, "MNIST", OTHER) == 0.99
    assert target_of(0.995, "MNIST", OTHER) == 0.995, "a recipe's own goal stays"
    assert target_of(0.994, "KMNIST", OTHER) == 0.994, "and so does that of other data"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (Challenge(accuracy=99.0), "x: accuracy: 99.0 is outside 0.1 to 1"),
        (Challenge(epochs=0), "x: epochs: 0 is outside 1 to 1,000"),
        (Challenge(parameters=99), "x: parameters: 99 is outside 100 to 20,000,000"),
        (
            Challenge(held_epochs=16),
            "x: held_epochs: 16 epochs cannot be held in a run of at most 15 epochs; it is 1 to 15",
        ),
    ],
)
def test_a_challenge_that_cannot_be_is_one_sentence_with_field_and_range(wrong: Challenge, told: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(told)):
        checked(wrong, "x")


def test_the_teacher_comes_before_the_environment_and_that_before_the_default(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert challenge_now(store) == CHALLENGE
    monkeypatch.setenv("LAB_CHALLENGE_ACCURACY", "0.985")
    settings.cache_clear()
    assert challenge_now(store) == replace(CHALLENGE, accuracy=0.985)
    set_challenge(store, OTHER, TEACHER)
    assert challenge_now(store) == challenge_here() == OTHER
    with pytest.raises(ClassError, match="only the teacher can set the challenge"):
        set_challenge(store, None, STUDENT)
    with pytest.raises(SettingsError, match="held_epochs"):
        set_challenge(store, replace(OTHER, held_epochs=21), TEACHER)
    assert challenge_now(store) == OTHER
    with pytest.raises(ChangedError, match="99% on MNIST in each of the last three epochs, at most 20 epochs and 20,0"):
        set_challenge(store, replace(OTHER, epochs=30), TEACHER, seen=replace(OTHER, epochs=25))
    assert challenge_now(store) == OTHER
    set_challenge(store, None, TEACHER, seen=OTHER)
    assert challenge_now(store).accuracy == 0.985
    settings.cache_clear()


def test_a_setting_that_cannot_be_is_one_sentence() -> None:
    with pytest.raises(SettingsError, match="LAB_CHALLENGE: held_epochs: 3 epochs cannot be held"):
        read_settings({"LAB_CHALLENGE_EPOCHS": "2"}, {})
    with pytest.raises(SettingsError, match="LAB_CHALLENGE_DATASET: 'CIFAR10' is none of MNIST"):
        read_settings({"LAB_CHALLENGE_DATASET": "CIFAR10"}, {})


@pytest.mark.parametrize("most", [2_000, 8_000, 20_000, 100_000])
def test_advice_on_the_budget_is_about_the_classs_and_its_remedy_fits_it(most: int) -> None:
    asked = replace(CHALLENGE, parameters=most)
    for step in catalogue.LADDER:
        used = classifier(step.architecture).parameters
        found = {each.topic: each for each in advice(step.architecture, asked)}
        assert ("budget" in found) == (used > most)
        assert ("left over" in found) == (used < most // 2)
        if used > most:
            assert f"{used - most:,} more than the challenge's {most:,}." in found["budget"].words
            remedy = found["budget"].remedy
            assert remedy is None or classifier(remedy).parameters <= most
        elif remedy := next((each.remedy for each in found.values() if each.topic == "left over"), None):
            assert used < classifier(remedy).parameters <= most


@examples(max_examples=15, deadline=None)
@given(challenges())
def test_the_lesson_of_the_challenge_says_its_numbers_and_its_example_does_not_hold(asked: Challenge) -> None:
    conditions, held, budget, *_ = lesson_of("challenge", asked).scenes
    words = told(conditions, asked)
    for number in (
        asked.target,
        f"At most {asked.epochs} epoch",
        f"{asked.parameters:,} parameters",
        asked.last_epochs,
    ):
        assert number in words
    assert held.check is not None
    assert asked.target in held.check.question
    assert held.check.answer() == "no"
    over = 8_008 - asked.parameters
    assert (f"{over:,} too many" if over > 0 else f"{-over:,} are left") in told(budget, asked)


def test_words_about_one_held_epoch_are_singular() -> None:
    one = replace(CHALLENGE, held_epochs=1)
    runs = [SeedRun(1, tuple(history(0.99, 0.995)), "cpu", "", "")]
    assert held_in_words(summary(runs, one)) == "It holds 99.4%: its last epoch is 99.50%."


# ------------------------------------------------------------------------------------------------------------ the pages


def test_the_teacher_sets_another_challenge_and_headline_budget_and_board_follow(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "ensure_worker", lambda *_, **__: None)
    monkeypatch.setenv("LAB_CLASS_PASSPHRASE", hash_of(PASSPHRASE))
    settings.cache_clear()
    made_run(store, [0.95] * 15 + [0.9915, 0.9902, 0.9931], owner="Mia")

    def board() -> tuple[str, list[str]]:
        app = opened("pages/experiment/board.py")
        return metric(app, "Meet the challenge"), list(app.dataframe[0].value.columns)

    assert board()[0] == "0 of 1"
    app = opened("pages/experiment/queue.py")
    app.text_input(key="passphrase").set_value(PASSPHRASE)
    _pressed(app, "Unlock")
    app.number_input(key="challenge_accuracy").set_value(99.0)
    app.number_input(key="challenge_epochs").set_value(20)
    app.number_input(key="challenge_held_epochs").set_value(21)
    _pressed(app, "Set the challenge")
    assert "21 epochs cannot be held in a run of at most 20 epochs" in app.error[0].value
    app.number_input(key="challenge_held_epochs").set_value(3)
    app.number_input(key="challenge_parameters").set_value(20_000)
    _pressed(app, "Set the challenge")
    assert not app.error
    assert challenge_now(store) == OTHER

    set_challenge(store, replace(OTHER, epochs=30), TEACHER)  # in another tab
    app.number_input(key="challenge_parameters").set_value(30_000)
    _pressed(app, "Set the challenge")
    assert "was changed meanwhile" in app.error[0].value
    assert challenge_now(store) == replace(OTHER, epochs=30)
    assert app.number_input(key="challenge_parameters").value == 30_000, "what was typed is still there"
    _pressed(app, "Show the one that holds")
    assert app.number_input(key="challenge_epochs").value == 30
    app.number_input(key="challenge_epochs").set_value(20)
    _pressed(app, "Set the challenge")
    assert challenge_now(store) == OTHER

    met, columns = board()
    assert met == "1 of 1"
    assert {"≥ 99% held", "≤ 20 epochs", "≤ 20,000 parameters"} <= set(columns)
    step = opened("pages/learn/step.py", step="b1-setup-10970")
    assert "9,030 under 20,000" in [each.delta for each in step.metric]
    design = opened("pages/experiment/design.py", **{"from": "b1-setup-10970"})
    assert "of 20,000 parameters · 9,030 left" in " ".join(str(each.proto) for each in design.get("progress"))
    lesson = opened("pages/learn/walkthroughs.py", lesson="challenge", scene="1")
    assert "**99% of the test digits**" in said(lesson)
    app.selectbox(key="challenge_dataset").set_value("KMNIST")  # absent here
    _pressed(app, "Set the challenge")
    rate = opened("pages/experiment/learning_rate.py", step="b1-setup-10970")
    assert "KMNIST is not in" in rate.info[0].value
    _pressed(app, "Back to the lab's own")
    assert board()[0] == "0 of 1"
    settings.cache_clear()


def _pressed(app: object, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()  # type: ignore[attr-defined]
