"""The plan for a class of 90 minutes. The teacher's guide prints the same one, which a test holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.challenge import CHALLENGE, Challenge


@dataclass(frozen=True)
class Part:
    """A part of the plan: what the class does, where, and how."""

    minutes: int
    what: str
    page: str  # as `lab.ui.links.link` takes it
    how: str
    parameters: dict[str, str] = field(default_factory=dict)  # of the page's URL


def parts(challenge: Challenge = CHALLENGE) -> tuple[Part, ...]:
    """The plan of a class with that challenge."""
    return (
        Part(
            5,
            "The challenge",
            "learn/ladder",
            "Show the picture of the ladder. Ask: which network would you bet on, and why?",
        ),
        Part(
            15,
            "Parameters by hand",
            "learn/walkthroughs",
            "The class predicts each number before you move on.",
            {"lesson": "parameters"},
        ),
        Part(
            20,
            "The receptive field",
            "learn/walkthroughs",
            "One student at the board follows size and jump.",
            {"lesson": "receptive-field"},
        ),
        Part(
            15,
            "Everyone designs",
            "experiment/design",
            f"Start from A2 or from a bad design. At most {challenge.parameters:,} parameters; the field must cover "
            "the image.",
        ),
        Part(
            5,
            "Predict and start",
            "experiment/train",
            "Everyone writes a prediction and starts a run of 3 epochs.",
        ),
        Part(
            15,
            "While the runs train",
            "use/read",
            "*What do you read?* Open a room: students vote on their phones. Watch the queue beside it.",
        ),
        Part(
            10,
            "Compare",
            "experiment/board",
            f"Who is near {challenge.target}? Take two designs to *Compare*: is the difference more than luck?",
        ),
        Part(
            5,
            "What we know now",
            "learn/ladder",
            "Come back to the first bet. What could one run show, and what not?",
        ),
    )


PLAN = parts()


def address(part: Part) -> str:
    """What stands in the browser's address after the lab's own, such as `/walkthroughs?lesson=parameters`."""
    asked = "&".join(f"{name}={value}" for name, value in part.parameters.items())
    return f"/{part.page.split('/')[-1]}{'?' if asked else ''}{asked}"
