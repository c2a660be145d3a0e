"""What the lessons say about runs: every figure recomputed from the files, every verdict turned round by other runs."""

from __future__ import annotations

import ast
import itertools
import json
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest
from plotly.graph_objects import Scatter
from scipy import stats
from streamlit.testing.v1 import AppTest

from core.analysis.evidence import Told
from core.analysis.study import SeedRun, write_study
from core.ladder import catalogue
from core.ladder.comparisons import CLEAN_COMPARISONS, variants
from core.ladder.relatives import EXTRAS
from lab.learn.lessons import LESSONS, lesson_of
from lab.learn.lessons.claims import CANNOT
from lab.learn.lessons.figures import rates, train_and_test
from lab.learn.lessons.player import recalled
from lab.learn.lessons.scene import Check, Lesson, Pair, Scene, TrainAndTest, told
from lab.studies import results as studies
from lab.studies import shelf
from tests.test_learn_pages import opened, said
from tests.test_lessons import CHECKS, PAGE, give
from tests.test_study_figures import made_up, made_up_study

SCENES = [(lesson, number, scene) for lesson in LESSONS for number, scene in enumerate(lesson.scenes)]
SHIPPED = studies.STUDIES
ALL_NAMES = sorted(path.stem for path in SHIPPED.glob("*.json") if path.stem != studies.PLAN)
Runs = list[dict[str, list[float]]]  # their histories, as columns
FOLDER = Path(__file__).resolve().parents[1] / "lab" / "learn" / "lessons"
BY_WHAT = "with dropout and augmentation on"  # training accuracy is measured


def words_of(scene: Scene) -> str:
    """All that a scene can ever say."""
    parts = [scene.title, told(scene)]
    if check := scene.check:
        parts += [
            check.question,
            check.why(),
            check.hint,
            *map(str, check.options),
            *(slip.words for slip in check.slips),
        ]
    return "\n".join(parts)


def runs_of(tests: Sequence[float], trains: Sequence[float] = (), epochs: int = 15) -> tuple[SeedRun, ...]:
    """Runs that end at these accuracies, and waver a little before."""
    found = []
    for seed, last in enumerate(tests):
        ragged = [last - 0.001 * (1 + (seed + epoch) % 3) for epoch in range(epochs - 1)]
        run = made_up(seed, *ragged, last)
        train = trains[seed] if trains else 0.98
        found.append(replace(run, history=tuple(replace(record, train_accuracy=train) for record in run.history)))
    return tuple(found)


def write(folder: Path, name: str, tests: Sequence[float], trains: Sequence[float] = ()) -> None:
    write_study(made_up_study(name, runs_of(tests, trains)), folder / f"{name}.json")


# ------------------------------------------------------------------------------------------- the figures in the words


def typed_words(path: Path) -> Iterator[tuple[int, str]]:
    """The strings of a module, and those parts of its f-strings that are typed, by line; docstrings and formats not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    formats = [node.format_spec for node in nodes if isinstance(node, ast.FormattedValue) and node.format_spec]
    documented = [node for node in nodes if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)]
    no_words = {id(part) for each in formats for part in ast.walk(each)}
    no_words |= {id(node.body[0].value) for node in documented if isinstance(node.body[0], ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in no_words:
            yield node.lineno, node.value


def test_no_percentage_and_no_difference_is_typed_into_a_lesson() -> None:
    """They stand in f-strings, and come from the studies, the logs or the challenge."""
    for path in sorted(FOLDER.glob("*.py")):
        for line, words in typed_words(path):
            typed = re.findall(r"\d[\d.]*%|\d[\d.]* (?:percentage )?points", words)
            assert set(typed) <= {"95%", "100%"}, f"{path.name}, line {line}: {typed}"  # an interval's level; all


WORLDS = {"shipped": 0, "three runs of each": 3, "one run of each": 1, "half of it measured": 4, "nothing": 0}


@dataclass(frozen=True)
class World:
    """A folder of studies, and what every scene says of them, by lesson and number from 1."""

    folder: Path
    words: dict[str, str]


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The studies of today, or made up ones in their place."""
    folder = SHIPPED if request.param == "shipped" else tmp_path_factory.mktemp("studies")
    chance, n = Random(5), WORLDS[request.param]
    for name in (ALL_NAMES[::2] if n == 4 else ALL_NAMES) if n else ():
        mean = chance.uniform(0.97, 0.996)
        tests, trains = (
            [round(mean + chance.uniform(low, high), 4) for _ in range(n)]
            for low, high in ((-0.002, 0.002), (-0.01, 0.004))
        )
        write(folder, name, tests, trains)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies, "STUDIES", folder)
        return World(folder, {f"{lesson.key} {number_ + 1}": words_of(scene) for lesson, number_, scene in SCENES})


def raw(folder: Path) -> dict[str, list[dict[str, list[float]]]]:
    """The histories of every study, read without the lab."""
    return {
        path.stem: [run["history"] for run in json.loads(path.read_text())["runs"]]
        for path in folder.glob("*.json")
        if path.stem != studies.PLAN
    }


def lasts(runs: list[dict[str, list[float]]], split: str) -> list[float]:
    return [run[f"{split}_accuracy"][-1] for run in runs]


def name_of(words: str) -> str:
    """The name of a study by what a lesson calls it: A2, or the title of a variant."""
    for step in (*catalogue.LADDER, *EXTRAS):
        if words == f"{step.lineage.upper()}{step.order}":
            return step.slug
    return next(variant.name for variant in variants() if variant.title == words)


STATED = re.compile(r"(\d+\.\d\d)%(?: ± (\d+\.\d\d))? \(n (\d+)\)")
POINTS = r"[+−]?\d\.\d\d"
COMPARED = re.compile(
    r"(?:^|(?<=\. )|(?<=\n))(?P<before>[^.\n]+?): (?P<one>[^:\n]+?)\. (?P<after>[^.\n]+?): (?P<other>[^:\n]+?)\. "
    rf"Difference: (?P<difference>{POINTS}) points, 95% interval (?P<low>{POINTS}) to (?P<high>{POINTS}): "
    r"(?P<reading>[^.]+)\."
)


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def test_every_mean_that_a_scene_states_is_that_of_a_study(world: World) -> None:
    means = set()
    for runs in raw(world.folder).values():
        for found in (
            lasts(runs, split) for split in ("test", "train", "plain_train") if f"{split}_accuracy" in runs[0]
        ):
            deviation = f"{100 * statistics.stdev(found):.2f}" if len(found) > 1 else ""
            means.add((f"{100 * statistics.mean(found):.2f}", deviation, str(len(found))))
    for place, words in world.words.items():
        assert set(STATED.findall(words)) <= means, place
    assert bool(means) == any(STATED.search(words) for words in world.words.values())


def test_every_difference_that_a_scene_states_is_that_of_two_studies(world: World) -> None:
    found = raw(world.folder)
    for place, words in world.words.items():
        matches = list(COMPARED.finditer(words))
        assert len(matches) == words.count("95% interval"), place
        for match in matches:
            _assert_follows(match, found[name_of(match["before"])], found[name_of(match["after"])], place)


def _assert_follows(match: re.Match[str], before: Runs, after: Runs, place: str) -> None:
    """The difference and its interval are those that scipy works out of the files, and the reading fits them."""
    worked_out = []
    for split in ("test", "train"):
        one, other = lasts(before, split), lasts(after, split)
        pairs = min(len(one), len(other))  # seeds count from 1: the pairs are those that both have
        low, high = stats.ttest_rel(other[:pairs], one[:pairs]).confidence_interval(0.95)
        difference = statistics.mean(other[:pairs]) - statistics.mean(one[:pairs])
        worked_out.append([100 * difference, 100 * low, 100 * high])
    stated = [number(match[name]) for name in ("difference", "low", "high")]
    same = [each for each in worked_out if stated == pytest.approx(each, abs=0.0051)]
    assert same, (place, stated, worked_out)
    if "if asked alone" not in match["reading"]:
        side = "better" if same[0][1] > 0 else "worse" if same[0][2] < 0 else "cannot be told"
        assert match["reading"].startswith(side), place


def other_percentages(folder: Path) -> set[str]:
    """Those that are no mean with its n, by where they come from."""
    logs: list[float] = []
    for claim in (step.claim for step in (*catalogue.LADDER, *EXTRAS) if step.claim):
        logs += [*claim.train_log, *claim.test_log, claim.best_test_accuracy]
    runs = [run["test_accuracy"] for study in raw(folder).values() for run in study]
    bests = [statistics.mean(max(run["test_accuracy"]) for run in study) for study in raw(folder).values() if study]
    means = [statistics.mean(lasts(study, "test")) for study in raw(folder).values() if study]
    made = [0.9938, 0.9946, 0.9944, 0.9948]  # challenge 2's example, and the second run of A3's recipe
    shown = {f"{100 * each:.2f}%" for each in (*logs, *(run[-1] for run in runs), *bests, *means, *made)}
    # The challenge, its errors, an interval's level, all, the errors of C1's log, and the choices for C2.
    shown |= {"99.4%", "0.6%", "95%", "100%", "0.13%", "92%", "98%", "99.3%"}
    return shown | {"97%", "45%", "69%"}  # of parameters: see below


def test_every_other_percentage_has_its_source(world: World) -> None:
    for place, words in world.words.items():
        found = set(re.findall(r"\d+(?:\.\d+)?%", STATED.sub("", words)))
        assert found <= other_percentages(world.folder), place


def test_the_shares_of_parameters_are_those_counted_by_hand() -> None:
    reading_many = 4 * 10 * 10 * 9 + 16 * 10 * 9 + 16 * 16 * 9 + 10 * 16  # A2's convolutions from the second on
    shares = ((reading_many, 7758), (4900, 10_970), (5340, 7758))
    assert [f"{part / whole:.0%}" for part, whole in shares] == ["97%", "45%", "69%"]


# --------------------------------------------------------------------------------------------------------- comparisons

COMPARISONS = [(lesson, number_, check) for lesson, number_, check in CHECKS if check.compares]
LOW, HIGH = (0.9930, 0.9931, 0.9932), (0.9950, 0.9951, 0.9953)
MIXED = (0.9938, 0.9924, 0.9931)
OUTCOMES: dict[str, tuple[Sequence[float], Sequence[float], Told]] = {
    "better": (LOW, HIGH, "better"),
    "worse": (HIGH, LOW, "worse"),
    "cannot be told": (LOW, MIXED, "cannot be told"),
    "the same": (LOW, LOW, "cannot be told"),
    "one run of each": ((0.9930,), (0.9950,), "cannot be told"),
    "one run against several": ((0.9999,), LOW, "worse"),
    "only one is measured": (LOW, (), "cannot be told"),
    "nothing is measured": ((), (), "cannot be told"),
}


def test_every_question_that_compares_runs_may_be_answered_with_cannot_be_told() -> None:
    for lesson, number_, check in CHECKS:
        where = f"{lesson.key} {number_ + 1}"
        assert (CANNOT in check.options) == (check.compares is not None), where
        compares = {"better", "worse", "higher", "lower", "rises", "falls"} & set(
            re.findall(r"\w+", " ".join(check.options))
        )
        assert not compares or check.compares, where
    assert len(COMPARISONS) >= 5


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize(("lesson", "number_", "check"), COMPARISONS, ids=lambda each: getattr(each, "key", None))
def test_other_runs_turn_the_answer_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lesson: Lesson, number_: int, check: Check, outcome: str
) -> None:
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    assert check.compares
    before, after, answer = OUTCOMES[outcome]
    for name, values in ((check.compares.before, before), (check.compares.after, after)):
        if values:
            of_train = check.compares.split == "train"
            write(tmp_path, name, [0.99] * len(values) if of_train else values, values if of_train else ())
    choices = dict(zip(("better", "worse", "cannot be told"), check.options, strict=True))
    assert check.answer() == choices[answer]
    why = check.why()
    assert ("n 3" in why) == (3 in (len(before), len(after)))
    if outcome in ("better", "worse"):
        assert f": {outcome} (n 3)." in why
        assert "do not show a difference" not in why
    if outcome == "one run of each":
        assert "With one run of each, it cannot be told." in why
    if outcome.endswith("measured"):
        assert "cannot be told: they are not both measured" in why
    assert check.hint.endswith("?") or "better" not in check.hint  # a hint leans to no side
    for side in ("better", "worse", "rises", "falls", "higher than", "lower than"):
        assert side not in check.hint


def test_among_many_questions_one_is_not_told_that_would_be_if_asked_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    check = lesson_of("learning-rate").scenes[4].check
    assert check
    assert check.compares == Pair("c5-rotation-7448", "c5-steplr")
    write(tmp_path, "c5-rotation-7448", (0.9910, 0.9911, 0.9912))
    write(tmp_path, "c5-steplr", (0.9916, 0.9914, 0.9919))  # differences 6, 3, 7: t = 5.33 / (2.08 / sqrt 3), p = 0.047
    assert check.answer() == CANNOT
    assert f"better if asked alone; not told among {len(CLEAN_COMPARISONS)} questions" in check.why()
    assert "The figure of C5 with C6's schedule is higher, but the lab asks so many questions" in check.why()
    write(tmp_path, "c5-steplr", (0.9950, 0.9951, 0.9953))  # the same question, with a larger difference
    assert check.answer() == "better than with a constant rate"


def test_the_jump_and_the_clean_comparison_stand_side_by_side() -> None:
    """One log's jump, our runs' jump and that of runs whose rate stays; worked out here from the files."""
    words = told(lesson_of("learning-rate").scenes[5])
    claim = catalogue.by_slug("c6-steplr-7416").claim
    assert claim is not None
    assert (
        f"{100 * (claim.test_log[6] - claim.test_log[5]):+.2f} points in the write-up's log, which is one run" in words
    )
    for name in ("c6-steplr-7416", "c5-rotation-7448"):
        jumps = [run["test_accuracy"][6] - run["test_accuracy"][5] for run in raw(SHIPPED)[name]]
        shown = f"{100 * statistics.mean(jumps):+.2f}".replace("-", "−")
        assert f"{shown} points (n {len(jumps)})" in words


@pytest.mark.parametrize(("values", "words"), [
    ((0.9960, 0.9961, 0.9963), "So the falling rate helps C5"),
    ((0.9880, 0.9881, 0.9883), "So the falling rate makes C5 worse"),
    ((0.9938, 0.9924, 0.9931), "So nothing here shows that the falling rate makes C5 better or worse."),
    ((), "So nothing here shows that the falling rate makes C5 better or worse."),
])  # fmt: skip
def test_what_the_jump_teaches_follows_from_the_clean_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: Sequence[float], words: str
) -> None:
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    write(tmp_path, "c5-rotation-7448", LOW)
    if values:
        write(tmp_path, "c5-steplr", values)
    assert words in told(lesson_of("learning-rate").scenes[5])


def test_the_example_of_a_flattering_best_epoch_is_the_one_with_the_widest_gap() -> None:
    words = told(lesson_of("mistakes").scenes[5])
    gaps = {
        name: statistics.mean(max(run["test_accuracy"]) - run["test_accuracy"][-1] for run in runs)
        for name, runs in raw(SHIPPED).items()
        if len(runs) > 1 and name in {step.slug for step in catalogue.LADDER}
    }
    widest = catalogue.by_slug(max(gaps, key=lambda name: gaps[name]))
    assert f"ladder is {widest.lineage.upper()}{widest.order}. " in words
    assert f": {100 * gaps[widest.slug]:.2f} points, or {round(10_000 * gaps[widest.slug])} digits" in words


@pytest.mark.parametrize(("c1", "c2", "answer"), [
    ((0.999, 0.992), (0.975, 0.979), "C1"), ((0.992, 0.992), (0.985, 0.979), "C2"),
    ((0.999, 0.992), (0.985, 0.979), "both"), ((0.995, 0.992), (0.975, 0.979), "neither"),
])  # fmt: skip
def test_which_network_overfits_follows_from_the_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, c1: tuple[float, float], c2: tuple[float, float], answer: str
) -> None:
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    for name, (train, test) in (("c1-setup-6379786", c1), ("c2-skeleton-7272", c2)):
        write(tmp_path, name, [test], [train])
    check = lesson_of("overfitting").scenes[1].check
    assert check
    assert check.answer() == answer


def test_the_largest_rise_of_the_ladder_is_the_largest_of_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = lesson_of("lineages").scenes[8]
    measured = studies.studies()
    pairs = [step for step in catalogue.LADDER if step.slug in measured and catalogue.before(step)]
    pairs = [step for step in pairs if catalogue.before(step).slug in measured]  # type: ignore[union-attr]
    assert f"the largest rise from one step to the next on our ladder, of {len(pairs)} such pairs" in told(scene)
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    for name, value in (("c2-skeleton-7272", 0.98), ("c3-batchnorm-7448", 0.99), ("c4-dropout-7448", 0.97)):
        write(tmp_path, name, [value, value + 0.001])
    write(tmp_path, "c5-rotation-7448", [0.995, 0.9961])
    assert "The largest rise from one step to the next on our ladder is C5's." in told(scene)


@pytest.mark.parametrize(
    ("last", "words"), [(0.9892, "none held 99.4% in most"), (0.9951, "held it in most of their runs")]
)
def test_what_size_alone_gives_is_what_the_large_networks_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: float, words: str
) -> None:
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    scene = lesson_of("challenge").scenes[0]
    assert "No larger network has been measured here yet." in told(scene)
    for name in ("a1-skeleton-509946", "c1-setup-6379786"):
        write_study(made_up_study(name, (made_up(0, *[last] * 5),)), tmp_path / f"{name}.json")
    assert words in told(scene)
    assert f"A1 {last:.2%} (n 1), C1 {last:.2%} (n 1)" in told(scene)


# ---------------------------------------------------------------------------------- what is shown before it is answered


def shown(app: AppTest) -> str:
    """All words and tables of the page but the choices of its question."""
    tables = [str(table.value.reset_index().values.tolist()) for table in (*app.table, *app.dataframe)]
    pictures = [str(node.proto) for node in every(app.main) if type(node).__name__ in ("Image", "PlotlyChart")]
    figures = [f"{each.label}: {each.value}" for each in (*app.metric, *app.slider)]
    return "\n".join([said(app), *figures, *tables, *pictures])


def every(block: object) -> Iterator[object]:
    for child in getattr(block, "children", {}).values():
        yield child
        yield from every(child)


@pytest.mark.parametrize(
    ("lesson", "number_", "check"),
    [each for each in CHECKS if each[0].scenes[each[1]].kind == "predict" or each[2].compares],
    ids=lambda each: getattr(each, "key", None),
)
def test_a_prediction_is_not_answered_on_the_page(lesson: Lesson, number_: int, check: Check) -> None:
    words = shown(opened(PAGE, lesson=lesson.key, scene=str(number_ + 1)))
    assert check.question in words
    words = words.replace(check.question, "")
    if check.compares:
        assert CANNOT not in words
        assert "Difference" not in words
    elif isinstance(answer := check.answer(), str):
        assert len(answer) < 4 or answer not in words  # C1, no: these stand in other words
        stated = STATED.findall(words)
        assert not [each for each in STATED.findall(check.why())[:1] if each in stated]  # the figure that decides
    else:
        assert not re.search(rf"(?<![\d.,]){answer:,.6g}(?![\d.,%])", words), answer


def test_the_labels_of_the_mistakes_are_shown_only_when_asked_for() -> None:
    app = opened(PAGE, lesson="mistakes", scene="2")
    assert "Digit 6" in [each.value for each in app.caption]
    assert "read as" not in shown(app)
    app = app.toggle[0].set_value(True).run()
    captions = [each.value for each in app.caption]
    assert sum("read as" in each for each in captions) == 6
    assert shown(app).count("read as") == 12, "under each picture, and in what stands for it where none can be seen"
    assert not opened(PAGE, lesson="mistakes", scene="2", hide="answers").toggle


# ------------------------------------------------------------------------------------------------- what was predicted


def at(lesson: str, scene: int) -> tuple[Check, Lesson, int]:
    """A check by the number of its scene, from 1."""
    found = lesson_of(lesson).scenes[scene - 1].check
    assert found is not None
    return found, lesson_of(lesson), scene - 1


def test_a_prediction_is_recalled_only_where_its_outcome_is_shown() -> None:
    for lesson, number_, scene in SCENES:
        if scene.recalls:
            assert number_
            before = lesson.scenes[number_ - 1]
            assert before.kind == "predict"
            assert before.check
    app = give(opened(PAGE, lesson="mistakes", scene="1"), *at("mistakes", 1), 60.0)
    app = next(each for each in app.button if each.label == "Next").click().run()
    assert "You predicted" not in said(app), "the next scene is about something else"


@pytest.mark.parametrize(("answer", "words"), [
    ("below 99.4%", "Where does its test accuracy end? You predicted below 99.4%; that is right."),
    ("above 99.4%", "Where does its test accuracy end? You predicted above 99.4%; it is below 99.4%."),
])  # fmt: skip
def test_what_was_predicted_is_told_with_its_question(answer: str, words: str) -> None:
    app = give(opened(PAGE, lesson="lineages", scene="2"), *at("lineages", 2), answer)
    app = next(each for each in app.button if each.label == "Next").click().run()
    assert words in said(app)


def test_where_answers_are_hidden_the_next_scene_does_not_tell_them() -> None:
    app = give(opened(PAGE, lesson="lineages", scene="2", hide="answers"), *at("lineages", 2), "above 99.4%")
    app = next(each for each in app.button if each.label == "Next").click().run()
    assert "You predicted above 99.4%." in said(app)
    assert "it is below 99.4%" not in said(app)


def test_the_sentence_about_a_prediction_fits_every_answer() -> None:
    check = Check("?", lambda: CANNOT, lambda: "so", choices=("higher", "lower", CANNOT))
    assert recalled(check, "higher") == "You predicted higher; it cannot be told."
    assert recalled(check, CANNOT) == "You predicted that it cannot be told; that is right."
    lower = replace(check, answer=lambda: "lower")
    assert recalled(lower, CANNOT) == "You predicted that it cannot be told; it is lower."
    assert recalled(lower, CANNOT, answers=False) == "You predicted that it cannot be told."
    pixels = Check("?", lambda: 16, lambda: "so", unit="pixels")
    assert recalled(pixels, 12.0) == "You predicted 12 pixels; it is 16 pixels."
    assert recalled(pixels, 16.0) == "You predicted 16 pixels; that is right."


def test_a_wrong_choice_is_quoted() -> None:
    app = give(opened(PAGE, lesson="learning-rate", scene="3"), *at("learning-rate", 3), "the best rate is 0.1")
    assert app.warning[0].value.startswith("Not right: “the best rate is 0.1”.")


# ------------------------------------------------------------------------------------------------------------ the words

# Old or learned words, verdicts of the lab's earlier judge, and claims about runs that no figure bears out.
NEVER = (
    "mend", "rightly", "hardly by chance", "bears", "and so it is", "harms", "medicine", "strongest", "costs nothing",
    "nothing was won", "gets the accuracy", "takes some away", "not all, where they stand", "too few to fit",
    "Both fall", "holds no secret",
)  # fmt: skip


def test_scenes_are_in_plain_words_and_claim_nothing_beside_the_figures(world: World) -> None:
    words = world.words | {lesson.key: f"{lesson.title}\n{lesson.about}" for lesson in LESSONS}
    for place, said_there in words.items():
        assert not [each for each in NEVER if each in said_there], place
        assert "0 of the" not in said_there, place
        assert "  " not in said_there, place


def test_better_and_worse_are_said_by_the_one_judge_alone() -> None:
    """In a lesson's own words they stand only as choices, or in the branch of a verdict."""
    claims = re.compile(r"\b(better|worse|improves?|outperforms?|gains?|helps|hurts|beats)\b")
    others = ("claims", "scene", "player", "shows", "figures", "facts")
    found = [
        (path.stem, words)
        for path in sorted(FOLDER.glob("*.py"))
        if path.stem not in others
        for _, words in typed_words(path)
        if claims.search(words)
    ]
    branches = {words for stem, words in found if words.startswith("So ")}  # of a verdict: see the test of the jump
    choices = {option for _, _, check in COMPARISONS for option in check.options}
    assert {stem for stem, words in found if words in branches} == {"learning_rate"}
    own = sorted(words for _, words in found if words not in branches | choices | {"better", "worse"})
    assert own == [told(lesson_of("overfitting").scenes[3])]  # "Whether one of them helps ... is a question for runs."


def test_wherever_training_accuracy_is_set_beside_test_accuracy_it_is_said_how_each_is_measured() -> None:
    told_in = set()
    for lesson, number_, scene in SCENES:
        words = words_of(scene)
        both = re.search("[Tt]raining (accuracy|curve)", words) and re.search(
            "[Tt]est (accuracy|curve)|test [0-9]", words
        )
        if both or any(isinstance(each, TrainAndTest) for each in scene.show):
            assert BY_WHAT in words, f"{lesson.key} {number_ + 1}"
            told_in.add((lesson.key, number_ + 1))
    assert {("overfitting", 1), ("overfitting", 6), ("lineages", 3), ("lineages", 10), ("challenge", 5)} <= told_in
    for slug in ("c1-setup-6379786", "c2-skeleton-7272"):
        step = catalogue.by_slug(slug)  # "These two networks have neither."
        assert not step.recipe.augmentation.rotation.strength
        assert "Dropout" not in {type(op).__name__ for op in step.architecture.ops}


def test_a_scene_says_what_its_pair_of_steps_changes() -> None:
    """C4 is C3 with dropout; D1 is C3 with three changes of its recipe; A2 and A3 watch the test loss."""
    c3, c4, d1 = (catalogue.by_slug(slug) for slug in ("c3-batchnorm-7448", "c4-dropout-7448", "d1-falling-7448"))
    assert c3.recipe == c4.recipe
    assert (
        c3.architecture.ops
        == d1.architecture.ops
        == tuple(op for op in c4.architecture.ops if type(op).__name__ != "Dropout")
    )
    changed = replace(
        c3.recipe,
        learning_rate=10 * c3.recipe.learning_rate,
        schedule=d1.recipe.schedule,
        optimizer=replace(c3.recipe.optimizer, nesterov=True),  # type: ignore[call-arg]
    )
    assert d1.recipe == changed
    assert [step.slug for step in catalogue.LADDER if step.recipe.watches_test] == ["a2-final-7758", "a3-dilation-5340"]
    assert "99.48% on another machine" in catalogue.by_slug("a3-dilation-5340").claim.note  # type: ignore[union-attr]


def test_no_lesson_prints_what_the_catalogue_says_about_results(world: World) -> None:
    """It is written by hand; the lessons' sentences follow from the runs."""
    everything = "\n".join(world.words.values())
    for step in catalogue.LADDER:
        assert not [text for text in (step.result, step.analysis, step.target) if text and text in everything]


def test_where_the_training_images_were_also_read_without_dropout_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    check, *_ = at("lineages", 3)
    write(tmp_path, "a2-final-7758", [0.9941, 0.9943], [0.986, 0.988])
    assert "without either too" not in check.why()
    ended = [
        replace(run, history=(*run.history[:-1], replace(run.history[-1], plain_train_accuracy=plain)))
        for run, plain in zip(runs_of([0.9941, 0.9943], [0.986, 0.988]), (0.9962, 0.9964), strict=True)
    ]
    write_study(made_up_study("a2-final-7758", tuple(ended)), tmp_path / "a2-final-7758.json")
    assert (
        "test 99.42% ± 0.01 (n 2). Measured without either too, the training accuracy is 99.63% ± 0.01" in check.why()
    )


def test_a_p_near_one_is_no_quotation_in_the_table() -> None:
    app = opened(PAGE, lesson="lineages", scene="7")
    assert list(app.table[0].value["p"]) == ["\\> 0.999"]


@pytest.mark.parametrize("n", [1, 4])
def test_the_means_of_our_runs_are_drawn_where_a_scene_asks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    write(tmp_path, "c3-batchnorm-7448", [0.991, 0.993, 0.992, 0.996][:n], [0.995] * n)
    words = said(opened(PAGE, lesson="overfitting", scene="6"))
    assert ("our one run" if n == 1 else "mean of our 4 runs") in words
    assert "the write-up's log, one run" in words, "C4 is not measured"


def test_a_chip_says_what_the_slider_has_made_of_the_network() -> None:
    app = opened(PAGE, lesson="overfitting", scene="7")
    for width, words in ((1.0, "A1, as it is"), (0.6, "A1, 0.6 times as wide"), (2.0, "A1, 2 times as wide")):
        app = app.slider[0].set_value(width).run()
        assert next(each.delta for each in app.metric if each.label == "Test accuracy") == words


@pytest.mark.parametrize("logarithmic", [False, True])
def test_the_rates_are_drawn_as_they_are(logarithmic: bool) -> None:
    """On a linear axis a straight fall is a straight line; a step is as steep as an iteration is short."""
    slugs = ("c6-steplr-7416", "d1-falling-7448")
    figure = rates([(slug, catalogue.by_slug(slug).recipe) for slug in slugs], 469, logarithmic)
    assert figure.layout.yaxis.type == ("log" if logarithmic else None)
    steps, falling = figure.data
    assert rate_on(steps, 6 - 1 / 469) == pytest.approx(0.01)
    assert rate_on(steps, 6) == pytest.approx(0.001)
    if logarithmic:
        assert None not in steps.y
    else:
        slopes = {
            round((b - a) / (y - x), 9) for (x, a), (y, b) in itertools.pairwise(zip(falling.x, falling.y, strict=True))
        }
        assert len(slopes) == 1
        assert falling.y[-1] == pytest.approx(0, abs=1e-4)


def rate_on(line: Scatter, epochs: float) -> float:
    return float(line.y[min(range(len(line.x)), key=lambda place: abs(line.x[place] - epochs))])


def test_every_epoch_of_training_and_test_accuracy_is_within_the_picture() -> None:
    train, test = [0.1, 0.95, 1.0], [0.42, 0.97, 0.9921]
    figure = train_and_test(train, test, 0.1)
    low, high = figure.layout.yaxis.range
    for line, values in zip(figure.data, (train, test), strict=True):
        assert all(low < place < high for place in line.y)
        assert list(line.y) == sorted(line.y), "more accuracy stands higher"
        assert list(line.customdata) == pytest.approx([100 * each for each in values])


def test_a_lesson_without_checkpoints_and_studies_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path)
    for lesson, scene in itertools.chain((("mistakes", 2), ("learning-rate", 6), ("challenge", 4), ("overfitting", 6))):
        assert not opened(PAGE, lesson=lesson, scene=str(scene)).exception
