"""A student's prediction of a run before it starts, compared with the result. No torch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Literal

from core.analysis.diagnosis.finding import FindingKind
from core.analysis.proportion import ERRORS_OF_NOISE, standard_error
from core.errors import PredictionError
from core.record import Range, check, parse, read, to_json, write

Fit = Literal["overfits", "underfits", "neither"]
Against = Literal["better", "worse", "no difference"]
FIT = "over- or underfit"  # the question
HIDES_FIT: tuple[FindingKind, ...] = ("diverged", "learns nothing", "rate too high", "rate too low")


@dataclass(frozen=True)
class Prediction:
    """A prediction before the run; None for a question without an answer."""

    accuracy: Annotated[float, Range(0, 1)]  # on the test images, after the last epoch
    fit: Fit | None = None
    against: Against | None = None  # in comparison with the step before, or the step that the design started from


@dataclass(frozen=True)
class Answer:
    """One question, its prediction and its outcome."""

    question: str
    predicted: str
    came: str
    right: bool | None  # None if the run cannot tell


def check_prediction(prediction: Prediction) -> Prediction:
    """The prediction itself, if it is valid. Raises PredictionError."""
    return check(prediction, "the prediction", PredictionError)


def prediction_to_json(prediction: Prediction) -> str:
    """One line."""
    return to_json(write(check_prediction(prediction)))


def prediction_from_json(text: str) -> Prediction:
    """The inverse of `prediction_to_json`. Raises PredictionError."""
    return read(Prediction, parse(text, "the prediction", PredictionError), "the prediction", PredictionError)


def answers(
    prediction: Prediction, accuracy: float, test_images: int, found: Collection[FindingKind], other: str
) -> tuple[Answer, ...]:
    """Predictions and outcomes: the last test accuracy, the diagnosis `found`, and the comparison with `other`.

    A predicted accuracy is right within two standard errors of a test set of that size. For a run that diverged, or
    with a bad learning rate, nobody can tell whether the network would under- or overfit.
    """
    off = prediction.accuracy - accuracy
    margin = ERRORS_OF_NOISE * standard_error(accuracy, test_images)
    rows = [
        Answer(
            "test accuracy after the last epoch",
            f"{prediction.accuracy:.2%}",
            f"{accuracy:.2%}, {100 * abs(off):.2f} points {'lower' if off > 0 else 'higher'}; "
            f"within {100 * margin:.2f} is right",
            abs(off) <= margin,
        )
    ]
    if prediction.fit is not None:
        rows.append(_fit(prediction.fit, found))
    if prediction.against is not None:
        rows.append(_against(prediction.against, found, other))
    return tuple(rows)


def _fit(predicted: Fit, found: Collection[FindingKind]) -> Answer:
    came: Fit = "overfits" if "overfits" in found else "underfits" if "underfits" in found else "neither"
    hidden = next((kind for kind in HIDES_FIT if kind in found), None)
    if "too short" in found or (came == "neither" and hidden):
        return Answer(FIT, predicted, f"{hidden or 'too short'}: it cannot be told", None)
    return Answer(FIT, predicted, came, predicted == came)


def _against(predicted: Against, found: Collection[FindingKind], other: str) -> Answer:
    outcomes: dict[FindingKind, Against] = {"better": "better", "worse": "worse", "within noise": "no difference"}
    came = next((outcome for kind, outcome in outcomes.items() if kind in found), None)
    question = f"beside {other}" if other else "beside the step before"
    return Answer(
        question, predicted, came or "nothing to hold it against", None if came is None else predicted == came
    )
