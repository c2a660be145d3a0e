"""What a lesson is made of. Lessons are data: words, which live widget stands beside them, and checks.

What a check asks for is computed when it is asked, from the networks and from the recorded runs; no answer is typed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from core.challenge import CHALLENGE, Challenge
from core.errors import SpecError
from core.record import short

Kind = Literal["predict", "do", "observe", "explain"]


# ------------------------------------------------------------------------------------------------ what a scene can show


@dataclass(frozen=True)
class OfStep:
    """About one step of the ladder."""

    slug: str


class Layers(OfStep):
    """A network's table of layers, with parameters and their arithmetic."""


@dataclass(frozen=True)
class ConvArithmetic:
    """Sliders for one convolution, and its parameters, multiply-adds and map with their numbers filled in."""

    in_channels: int
    out_channels: int


class Field(OfStep):
    """A network's receptive field on a real digit, layer by layer."""


class ClaimedFields(OfStep):
    """A write-up's receptive fields beside the right ones."""


class Knobs(OfStep):
    """Width, dropout and batch norm of a network, and what they do to its totals."""


@dataclass(frozen=True)
class Ladder:
    """Parameters against accuracy, of one lineage or of all."""

    lineage: str = ""


class Curves(OfStep):
    """Test accuracy by epoch: our runs with their band, and the write-up's log."""


@dataclass(frozen=True)
class TrainAndTest:
    """Training and test accuracy by epoch of several networks, side by side: the write-ups' logs, one run each."""

    slugs: tuple[str, ...]
    ours: bool = False  # the means of our runs instead, of those networks of which there are any


class Comparisons(OfStep):
    """A step's clean comparisons, with n and p."""


@dataclass(frozen=True)
class Rates:
    """The learning rate over the epochs, as the recipes of several steps have it."""

    slugs: tuple[str, ...]


class Worst(OfStep):
    """The wrong test digits that a shipped network was least sure of; what they are is shown when asked for."""


@dataclass(frozen=True)
class NormMaps:
    """Real maps of a shipped network, and which of their values each kind of norm averages."""

    slug: str
    layer: str


@dataclass(frozen=True)
class GradientByDepth:
    """How much gradient reaches the first layer of deeper and deeper networks, with skips and without."""

    depths: tuple[int, ...]


@dataclass(frozen=True)
class Conditions:
    """Every measured step against the three conditions of the challenge."""


@dataclass(frozen=True)
class Way:
    """A link out of the lesson, to where something can be done."""

    page: str  # the script's path
    label: str
    parameters: tuple[tuple[str, str], ...] = ()


Show = OfStep | ConvArithmetic | Ladder | TrainAndTest | Rates | NormMaps | GradientByDepth | Conditions | Way

# ------------------------------------------------------------------------------------------------------------- a check

Answer = float | str


@dataclass(frozen=True)
class Slip:
    """A wrong answer that shows what went wrong."""

    answer: Callable[[], float]
    words: str


@dataclass(frozen=True)
class Pair:
    """Two studies that a question compares, by the names of steps or of variants."""

    before: str
    after: str
    split: Literal["test", "train"] = "test"  # whose accuracy is compared


@dataclass(frozen=True)
class Check:
    """A question with one right answer: a number, or one of the choices."""

    question: str
    answer: Callable[[], Answer]
    why: Callable[[], str]  # how the answer is computed, with its numbers
    choices: tuple[str, ...] | Callable[[], tuple[str, ...]] = ()  # none: a number is asked for
    tolerance: float = 0.0  # of a number, either way
    hint: str = ""
    slips: tuple[Slip, ...] = ()
    unit: str = ""
    compares: Pair | None = None  # what the answer follows from, where it is a comparison of runs

    @property
    def options(self) -> tuple[str, ...]:
        """The choices as they are now: where the answer comes from the measured runs, so do they."""
        return self.choices() if callable(self.choices) else self.choices

    def is_right(self, given: Answer) -> bool:
        """Whether the given answer is right."""
        answer = self.answer()
        if isinstance(answer, str) or isinstance(given, str):
            return given == answer
        return abs(given - answer) <= self.tolerance + 1e-9

    def slip(self, given: Answer) -> str:
        """What a wrong number shows about its cause; "" where nothing is known."""
        if isinstance(given, str):
            return ""
        return next((slip.words for slip in self.slips if abs(given - slip.answer()) < 0.5), "")


@dataclass(frozen=True)
class ForChallenge:
    """Words that follow the challenge of the class."""

    words: Callable[[Challenge], str]


@dataclass(frozen=True)
class Scene:
    """One view of a lesson."""

    kind: Kind
    title: str
    words: str | Callable[[], str] | ForChallenge
    show: tuple[Show, ...] = ()
    check: Check | None = None
    recalls: bool = False  # it shows what came of the prediction in the scene before, which then stands here too


@dataclass(frozen=True)
class Lesson:
    """A sequence of scenes."""

    key: str  # its name in the URL
    title: str
    about: str  # one sentence
    minutes: int
    scenes: tuple[Scene, ...]


def spelt(answer: Answer) -> str:
    """An answer as it is shown."""
    return answer if isinstance(answer, str) else f"{answer:,.6g}"


def told(scene: Scene, challenge: Challenge = CHALLENGE) -> str:
    """The scene's words, with the figures of today."""
    if isinstance(scene.words, ForChallenge):
        return scene.words.words(challenge)
    return scene.words if isinstance(scene.words, str) else scene.words()


def scene_number(lesson: Lesson, text: str) -> int:
    """The scene, counted from 0, that a URL counts from 1. Raises SpecError."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= len(lesson.scenes)):
        raise SpecError(f"scene {short(text)}: the lesson has scenes 1 to {len(lesson.scenes)}")
    return int(text) - 1
