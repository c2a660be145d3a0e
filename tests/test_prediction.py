"""What was said before a run, kept as JSON and held against what the run came to; and who said it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from core.analysis.diagnosis.finding import FindingKind
from core.analysis.prediction import Prediction, answers, prediction_from_json, prediction_to_json
from core.errors import PredictionError
from tests.patience import patient

FITS = st.sampled_from(["overfits", "underfits", "neither", None])
SIDES = st.sampled_from(["better", "worse", "no difference", None])


@given(st.builds(Prediction, st.floats(0, 1), FITS, SIDES))
def test_a_prediction_comes_back_from_its_json(prediction: Prediction) -> None:
    assert prediction_from_json(prediction_to_json(prediction)) == prediction


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("[]", "expected an object"),
        ("{}", "accuracy is missing"),
        ('{"accuracy":1.5}', "1.5 is outside 0 to 1"),
        ('{"accuracy":NaN}', "outside 0 to 1"),
        ('{"accuracy":"99"}', "expected a number"),
        ('{"accuracy":0.99,"fit":"badly"}', "'badly' is none of overfits, underfits, neither"),
        ('{"accuracy":0.99,"nonsense":1}', "unknown field"),
    ],
)
def test_what_is_no_prediction_is_refused_in_a_sentence(text: str, reason: str) -> None:
    with pytest.raises(PredictionError, match=reason):
        prediction_from_json(text)


def test_a_prediction_out_of_range_is_not_written() -> None:
    with pytest.raises(PredictionError, match="accuracy: 99 is outside 0 to 1"):
        prediction_to_json(Prediction(99))


def test_an_accuracy_is_right_within_two_standard_errors_of_the_test_set() -> None:
    """At 99.00% of 10,000 images the standard error is sqrt(0.99 x 0.01 / 10,000) = 0.0995 points."""
    for said, right in ((0.9880, False), (0.9882, True), (0.99, True), (0.9918, True), (0.9921, False)):
        (answer,) = answers(Prediction(said), 0.99, 10_000, ["target missed"], "")
        assert answer.right is right, said
        assert "within 0.20 is right" in answer.came
    (near,) = answers(Prediction(0.95), 0.99, 360, [], "")
    assert not near.right
    assert answers(Prediction(0.9921), 0.99, 360, [], "")[0].right, "fewer images, more noise"


def test_the_other_questions_are_answered_by_the_diagnosis() -> None:
    said = Prediction(0.99, "overfits", "better")
    right = answers(said, 0.99, 10_000, ["target missed", "overfits", "better"], "C2")
    assert [(answer.came, answer.right) for answer in right[1:]] == [("overfits", True), ("better", True)]
    assert right[2].question == "beside C2"
    wrong = answers(said, 0.99, 10_000, ["target missed", "underfits", "within noise"], "C2")
    assert [(answer.came, answer.right) for answer in wrong[1:]] == [("underfits", False), ("no difference", False)]
    untold = answers(said, 0.99, 10_000, ["target missed", "too short"], "")
    assert [answer.right for answer in untold[1:]] == [None, None]
    assert len(answers(Prediction(0.99), 0.99, 10_000, ["overfits", "better"], "C2")) == 1, "left open"


@pytest.mark.parametrize("kind", ["diverged", "learns nothing", "rate too high", "rate too low"])
def test_a_run_whose_rate_did_not_fit_tells_nothing_of_its_fit_unless_it_overfits(kind: FindingKind) -> None:
    (_, fit) = answers(Prediction(0.98, "neither"), 0.098, 10_000, [kind], "")
    assert (fit.came, fit.right) == (f"{kind}: it cannot be told", None)
    (_, fit) = answers(Prediction(0.98, "overfits"), 0.98, 10_000, [kind, "overfits"], "")
    assert (fit.came, fit.right) == ("overfits", True)


# ---------------------------------------------------------------------------------------------------------- a nickname


def _page() -> None:
    import streamlit as st

    from lab.ui.nickname import nickname, nickname_field

    nickname_field()
    st.write(f"I am {nickname()!r}.")


def test_a_nickname_comes_from_the_url_and_goes_back_into_it() -> None:
    app = AppTest.from_function(_page, default_timeout=patient(30))
    app.query_params["me"] = "  Ada   Lovelace "
    app.run()
    assert app.markdown[0].value == "I am 'Ada Lovelace'."
    assert app.text_input[0].value == "Ada Lovelace"
    app.text_input[0].set_value("Grace").run()
    assert app.markdown[0].value == "I am 'Grace'."
    assert app.query_params["me"] == "Grace"
    app.text_input[0].set_value("").run()
    assert app.markdown[0].value == "I am ''."
    assert "me" not in app.query_params


def test_a_nickname_is_kept_on_a_page_whose_url_has_none_and_a_long_one_is_no_one() -> None:
    app = AppTest.from_function(_page, default_timeout=patient(30))
    app.session_state["me"] = "Ada"
    assert app.run().markdown[0].value == "I am 'Ada'."
    long = AppTest.from_function(_page, default_timeout=patient(30))
    long.query_params["me"] = "A" * 31
    assert long.run().markdown[0].value == "I am ''."
    assert not long.exception
