"""The walkthroughs: every lesson played through, answered wrong and right, and what a teacher's link takes away."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.analysis.study import write_study
from core.errors import SpecError
from core.ladder import catalogue
from lab.learn.lessons import LESSONS, lesson_of
from lab.learn.lessons.scene import Check, Lesson, Slip, scene_number, told
from lab.studies import results as studies
from lab.studies import shelf
from tests.test_learn_pages import opened, said, written
from tests.test_study_figures import made_up, made_up_study

PAGE = "pages/learn/walkthroughs.py"
CHECKS = [
    (lesson, number, scene.check)
    for lesson in LESSONS
    for number, scene in enumerate(lesson.scenes)
    if scene.check is not None
]


def give(app: AppTest, check: Check, lesson: Lesson, number: int, answer: float | str) -> AppTest:
    """Answer the check of the scene that is open."""
    place = f"check-{lesson.key}-{number}"
    if isinstance(answer, str):
        app.radio(key=f"{place}-choice").set_value(answer)
    else:
        app.number_input(key=f"{place}-number").set_value(answer)
    next(each for each in app.button if each.label in ("Check", "Commit to it")).click()
    return app.run()


def wrong(check: Check) -> float | str:
    """An answer that is not right."""
    answer = check.answer()
    if isinstance(answer, str):
        return next(each for each in check.options if each != answer)
    return answer + 17 + 2 * check.tolerance


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.key)
def test_a_lesson_plays_through_with_its_checks_answered_wrong_and_right(lesson: Lesson) -> None:
    app = opened(PAGE, lesson=lesson.key)
    for number, scene in enumerate(lesson.scenes):
        assert not app.exception
        assert not app.error
        assert f"{scene.title}" in said(app)
        if scene.check:
            app = give(app, scene.check, lesson, number, wrong(scene.check))
            assert app.warning[-1].value.startswith("Not ")
            assert not app.success
            app = give(app, scene.check, lesson, number, scene.check.answer())
            assert app.success[0].value == f"Right. {scene.check.why()}"
        if number < len(lesson.scenes) - 1:
            app = next(each for each in app.button if each.label == "Next").click().run()
            assert app.query_params["scene"] == str(number + 2)
    app = next(each for each in app.button if each.label == "End").click().run()
    questions = sum(scene.check is not None for scene in lesson.scenes)
    assert f"{questions} of {questions} questions answered" in said(app)


@pytest.mark.parametrize(("lesson", "number", "check"), CHECKS, ids=lambda each: getattr(each, "key", None))
def test_a_check_has_one_right_answer_and_its_slips_are_wrong(lesson: Lesson, number: int, check: Check) -> None:
    answer = check.answer()
    assert check.is_right(answer)
    assert not check.is_right(wrong(check))
    assert check.why()
    if isinstance(answer, str):
        assert check.options.count(answer) == 1
        assert len(check.options) == len(set(check.options)) > 1
    else:
        assert not check.options
        slips = [slip.answer() for slip in check.slips]
        assert len(slips) == len(set(slips))
        assert not any(check.is_right(each) for each in slips)


# Worked out by hand from the networks' layers, apart from the code that computes them.
BY_HAND = {
    ("parameters", 1): 10 * 1 * 3 * 3,
    ("parameters", 2): 10 * 10 * 3 * 3,
    ("parameters", 3): 2 * 10,
    ("parameters", 4): 0,
    ("parameters", 5): 10 * 10 * 7 * 7,
    ("parameters", 6): "four times as large",
    ("parameters", 7): "1.0",
    ("receptive-field", 1): 5,
    ("receptive-field", 2): 10,
    ("receptive-field", 3): 4,
    ("receptive-field", 4): "avgpool1",
    ("receptive-field", 5): 28,
    ("lineages", 8): 176,
    ("overfitting", 2): 78,
    ("learning-rate", 3): 0.1 * 0.6 * 0.6,
    ("dilation", 1): 8,
    ("dilation", 2): 16,
    ("dilation", 3): "conv5",
    ("dilation", 4): 9,
    ("dilation", 5): 40,
    ("normalisation", 1): 128 * 26 * 26,
    ("normalisation", 2): 4 * 26 * 26,
    ("normalisation", 3): 2 * (8 + 16 + 8 + 16 + 8 + 16 + 16),
    ("skips", 1): 1,
    ("skips", 2): 128,
    ("skips", 3): 7,
    ("skips", 4): "more than a thousand times",
    ("mistakes", 0): 60,
    ("mistakes", 3): 8,
    ("mistakes", 4): 7,
    ("challenge", 1): "no",
    ("challenge", 2): 72,
}


@pytest.mark.parametrize(("place", "answer"), BY_HAND.items(), ids=str)
def test_computed_answers_are_those_worked_out_by_hand(place: tuple[str, int], answer: float | str) -> None:
    check = lesson_of(place[0]).scenes[place[1]].check
    assert check is not None
    assert check.is_right(answer), check.answer()


def test_a_slip_says_what_went_wrong_on_the_way() -> None:
    app = give(opened(PAGE, lesson="parameters", scene="2"), *_at("parameters", 1), 100.0)
    assert "a bias for each output channel" in app.warning[0].value


def _at(key: str, number: int) -> tuple[Check, Lesson, int]:
    lesson = lesson_of(key)
    check = lesson.scenes[number].check
    assert check is not None
    return check, lesson, number


def test_a_prediction_stands_beside_its_outcome_in_the_next_scene() -> None:
    app = give(opened(PAGE, lesson="lineages", scene="2"), *_at("lineages", 1), "above 99.4%")
    app = next(each for each in app.button if each.label == "Next").click().run()
    assert "You predicted above 99.4%; it is below 99.4%." in said(app)


def test_a_presentation_has_neither_menu_nor_sidebar() -> None:
    alone = opened(PAGE, lesson="dilation", scene="2", present="1")
    assert not alone.exception
    assert not [each.value for each in alone.sidebar.caption]
    assert "All lessons" not in [each.label for each in alone.button]
    assert "DATA SET" in [each.value for each in opened(PAGE, lesson="dilation", scene="2").sidebar.caption]


def test_a_teachers_link_takes_away_what_it_names() -> None:
    app = opened(PAGE, lesson="parameters", scene="8", hide="links", lock="controls,order")
    assert app.slider[0].disabled
    app = opened(PAGE, lesson="parameters", scene="2", hide="hints,answers", lock="order")
    assert next(each for each in app.button if each.label == "Next").disabled
    app = give(app, *_at("parameters", 1), 17.0)
    assert app.warning[0].value.strip() == "Not 17."
    assert not app.toggle
    assert not next(each for each in app.button if each.label == "Next").disabled
    assert not opened(PAGE, lesson="parameters", scene="2", hide="checks").number_input


@pytest.mark.parametrize(("parameters", "words"), [
    ({"lesson": "no-such"}, "there is no lesson 'no-such'"),
    ({"lesson": "dilation", "scene": "99"}, "scene '99': the lesson has scenes 1 to 7"),
    ({"lesson": "dilation", "scene": "-1"}, "the lesson has scenes 1 to 7"),
    ({"lesson": "<b>x</b>", "present": "1"}, "there is no lesson"),
])  # fmt: skip
def test_a_link_that_leads_nowhere_says_so(parameters: dict[str, str], words: str) -> None:
    app = opened(PAGE, **parameters)
    assert not app.exception
    assert words in app.error[0].value.replace("\\", "")


def test_scenes_are_counted_from_one_in_links() -> None:
    lesson = LESSONS[0]
    assert (scene_number(lesson, ""), scene_number(lesson, "1"), scene_number(lesson, "8")) == (0, 0, 7)
    for text in ("0", "9", "x", "1e3", "１"):
        with pytest.raises(SpecError):
            scene_number(lesson, text)


def test_what_the_words_name_exists() -> None:
    for lesson in LESSONS:
        assert 5 <= len(lesson.scenes) <= 15
        for scene in lesson.scenes:
            assert told(scene)
            for each in scene.show:
                for slug in (*getattr(each, "slugs", ()), *([each.slug] if hasattr(each, "slug") else [])):
                    assert catalogue.by_slug(slug).slug == slug


def test_a_slip_is_told_by_its_number_only() -> None:
    check = Check("?", lambda: 3.0, lambda: "so", slips=(Slip(lambda: 4.0, "one too many"),))
    assert check.slip(4.0) == "one too many"
    assert check.slip(5.0) == check.slip("4") == ""


# ------------------------------------------------------------------------------------------ when more has been measured

A2, A3 = "a2-final-7758", "a3-dilation-5340"


# Of the last two: differences 0.20, 0.20, 0.21 points; t = 0.2033 / (0.00577 / sqrt 3) = 61.0, and Student's t with 2
# degrees of freedom has its 97.5% point at 4.303: 0.2033 +- 4.303 * 0.00577 / sqrt 3 = 0.189 to 0.218.
@pytest.mark.parametrize(("of_a2", "of_a3", "answer", "words"), [
    ((0.9944,), (0.9949,), "cannot be told", "Difference: +0.05 points. With one run of each, it cannot be told."),
    ((0.9950, 0.9944, 0.9947), (0.9944, 0.9948, 0.9943), "cannot be told", "Difference: −0.02 points, 95% interval"),
    ((0.9930, 0.9931, 0.9932), (0.9950, 0.9951, 0.9953), "A3", "+0.20 points, 95% interval +0.19 to +0.22: better ("),
    ((0.9950, 0.9951, 0.9953), (0.9930, 0.9931, 0.9932), "A2", "−0.20 points, 95% interval −0.22 to −0.19: worse ("),
])  # fmt: skip
def test_which_of_two_is_better_is_told_as_the_runs_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_a2: tuple[float, ...], of_a3: tuple[float, ...], answer: str,
    words: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    written(tmp_path, A2, of_a2)
    written(tmp_path, A3, of_a3)
    check, *_ = _at("lineages", 3)
    assert check.answer() == answer
    assert words in check.why()


def test_the_smallest_network_that_meets_the_challenge_is_always_among_the_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    check, *_ = _at("challenge", 3)
    assert check.answer() == "none of them"
    assert "none of them" in check.options
    # Measured one after the other, while the app runs. The test loss sets A3's rate: it is not to be judged by it.
    sizes = {"d5-dilated-7784": 7784, "c3-batchnorm-7448": 7448, "c6-steplr-7416": 7416, A3: 7416}
    for slug, smallest in sizes.items():
        study = made_up_study(slug, tuple(made_up(seed, 0.9941, 0.9951, 0.9943) for seed in range(3)))
        write_study(study, tmp_path / f"{slug}.json")
        assert check.answer() == f"{smallest:,} parameters"
        assert check.options.count(str(check.answer())) == 1
        assert "3 of 3 runs meet the challenge" in check.why()
    assert "A2 and A3 do not count" in told(lesson_of("challenge").scenes[3])


def test_two_steps_with_one_network_are_one_answer() -> None:
    check, *_ = _at("challenge", 3)
    assert len(check.options) == len({option.split()[0] for option in check.options})


def test_the_words_hold_where_nothing_is_measured_or_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path)
    for lesson in LESSONS:
        for scene in lesson.scenes:
            assert told(scene)
            if scene.check:
                assert scene.check.why()
                assert "our runs" not in scene.check.why()
    assert "gets some test digits wrong" in told(lesson_of("mistakes").scenes[1])


def test_a_log_that_is_another_networks_is_shown_as_such() -> None:
    assert "Its log is that of the 7,840 network" in said(opened(PAGE, lesson="lineages", scene="3"))
