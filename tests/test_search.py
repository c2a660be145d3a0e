"""A search for a network: every proposal within its budget, the tries in the store, a worker, and the page."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.architecture.fit import fit
from core.architecture.json_form import architecture_to_json
from core.architecture.spec import (
    Architecture,
    BatchNorm,
    Concatenate,
    Conv,
    GlobalAvgPool,
    GroupNorm,
    Linear,
    ReLU,
    Repeat,
    Residual,
)
from core.architecture.trace import classifier
from core.architecture.widths import widths_of, with_widths
from core.data.mnist import EMBEDDED
from core.errors import LabError, RunError, SearchError
from core.ladder.catalogue import LADDER, by_slug
from core.ladder.relatives import EXTRAS
from core.search.choice_words import choice_words
from core.search.proposing import Told, propose
from core.search.space import SearchSpec, Space, check_search, knobs_of, made, searched, smallest
from core.training.history import EpochRecord
from core.training.network import build
from core.training.recipe import Recipe, ReduceLROnPlateau
from lab.__main__ import main
from lab.runs import actions, searching
from lab.runs.person import Person
from lab.runs.searches import Try, front, search_of, tries_of
from lab.runs.searching import advance, go_on, start_search, stop_search
from lab.runs.store import RunStore
from tests.random_architectures import architectures
from tests.tiny import TINY

EVERYTHING = Space(
    kernel_size=True, activation=True, dropout=True, pool=True, learning_rate=True, optimizer=True, augmentation=True,
    batch_size=True,
)  # fmt: skip
STEPS = (*LADDER, *EXTRAS)
ADA = Person("ada", "Ada")
SHORT = Recipe(epochs=1, batch_size=256, learning_rate=0.05)
SPEC = SearchSpec(Space(least_channels=2, most_channels=12, activation=True), budget=600, tries=6)
RESIDUAL = Architecture(
    "residual",
    (
        Conv(8, 3),
        Residual((Conv(12, 3, padding=1), ReLU(), Conv(8, 3, padding=1), BatchNorm())),
        Conv(16, 1),
        Residual((Conv(16, 3, padding=1, groups=16), Conv(24, 1)), (Conv(24, 1),)),
        GroupNorm(4),
        Repeat((Conv(24, 1), ReLU())),
        Concatenate((Conv(6, 1),), (Conv(4, 1),)),
        GlobalAvgPool(),
        Linear(20),
        Linear(10),
    ),
)


# ------------------------------------------------------------------------------------------------------- the networks


def test_layers_whose_channels_are_added_or_repeated_share_a_width() -> None:
    found = {(width.layers, width.unit): width.channels for width in widths_of(RESIDUAL)}
    assert found == {
        ((0, 4), 1): 8,  # the sum of a skip connection
        ((2,), 1): 12,
        ((6, 8), 1): 16,  # a depthwise convolution has as many channels as go in
        ((9, 10, 13), 4): 24,  # two branches and what is repeated, in groups of four
        ((16,), 1): 6,
        ((17,), 1): 4,
        ((19,), 1): 20,
    }


@settings(max_examples=20)
@given(st.data())
def test_any_widths_give_a_network_that_torch_builds_with_as_many_parameters(data: st.DataObject) -> None:
    counts = {width: width.unit * data.draw(st.integers(1, 9)) for width in widths_of(RESIDUAL)}
    wider = with_widths(RESIDUAL, counts)
    network = build(wider, seed=1)
    assert sum(each.numel() for each in network.parameters()) == classifier(wider).parameters


@pytest.mark.slow
@settings(max_examples=60)
@given(architectures(), st.data())
def test_any_width_of_a_random_network_can_change_by_itself(architecture: Architecture, data: st.DataObject) -> None:
    counts = {width: width.unit * data.draw(st.integers(1, 3)) for width in widths_of(architecture)}
    changed = fit(with_widths(architecture, counts))
    assert counts == {} or changed.trace is not None, changed.error
    assert changed.trace is None or changed.trace.output == fit(architecture).trace.output  # type: ignore[union-attr]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.slug)
def test_the_starts_own_choices_give_the_start(step: object) -> None:
    architecture, recipe = step.architecture, searched(step.recipe)  # type: ignore[attr-defined]
    knobs = knobs_of(EVERYTHING, architecture, recipe)
    again, same = made(knobs, architecture, recipe, {knob.name: knob.start for knob in knobs})
    assert again == architecture
    assert same == replace(recipe, range_test=None)


@pytest.mark.parametrize("step", STEPS[::8], ids=lambda step: step.slug)
def test_every_proposal_keeps_to_the_budget_traces_and_is_new(step: object) -> None:
    architecture, recipe = step.architecture, searched(step.recipe)  # type: ignore[attr-defined]
    spec, told, chance = SearchSpec(EVERYTHING, budget=4_000), list[Told](), random.Random(1)
    for number in range(14):
        found = propose(spec, architecture, recipe, told)
        size = classifier(found.architecture).parameters
        assert size <= 4_000
        assert found.architecture.name.endswith(f", try {number + 1}")
        assert found.choices not in [each.choices for each in told]
        told.append(Told(found.choices, size, chance.choice((None, chance.random()))))


def test_the_first_tries_are_the_design_itself_and_then_networks_of_all_sizes() -> None:
    step, told = by_slug("a2-final-7758"), list[Told]()
    for _ in range(10):
        found = propose(SearchSpec(), step.architecture, searched(step.recipe), told)
        told.append(Told(found.choices, classifier(found.architecture).parameters, None))
    assert told[0].parameters == 7_758
    assert min(each.parameters for each in told) < 4_000
    assert max(each.parameters for each in told[1:]) > 6_000


def test_the_same_tries_before_give_the_same_next_one() -> None:
    step, told = by_slug("d8-third-2495"), list[Told]()
    for _ in range(12):
        found = propose(SearchSpec(EVERYTHING), step.architecture, searched(step.recipe), told)
        assert found == propose(SearchSpec(EVERYTHING), step.architecture, searched(step.recipe), list(told))
        told.append(Told(found.choices, classifier(found.architecture).parameters, 1 / (1 + len(told))))


def test_the_sampler_comes_nearer_to_the_best_rate_than_chance() -> None:
    """The loss is the distance of the rate from 0.03, in decades; chance would be 0.62 away on average."""
    spec, told = SearchSpec(Space(channels=False, learning_rate=True)), list[Told]()
    for _ in range(40):
        found = propose(spec, TINY, searched(SHORT), told)
        loss = abs(math.log10(found.recipe.learning_rate / 0.03))
        told.append(Told(found.choices, 100, loss))
    late = [each.loss for each in told[20:] if each.loss is not None]
    assert sum(late) / len(late) < 0.3


def test_where_all_was_tried_the_search_says_so() -> None:
    spec, told = SearchSpec(Space(channels=False, pool=True)), list[Told]()
    for _ in range(2):
        found = propose(spec, TINY, SHORT, told)
        told.append(Told(found.choices, 100, 1.0))
    with pytest.raises(SearchError, match=r"nothing is left to try after 2 tries.*tried before"):
        propose(spec, TINY, SHORT, told)


def test_a_budget_below_the_smallest_network_is_refused_with_both_numbers() -> None:
    knobs = knobs_of(Space(), TINY, SHORT)
    # Conv(4, 3): 4 x 9 + 4, batch norm 2 x 4, Conv(4, 3): 4 x 4 x 9 + 4, Linear(10): 10 x 4 + 10
    assert smallest(knobs, TINY, SHORT) == 40 + 8 + 148 + 50
    with pytest.raises(SearchError, match="has 246 parameters, the budget is 245"):
        check_search(SearchSpec(budget=245), TINY, SHORT)


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        (Space(channels=False), "nothing of tiny can vary"),
        (Space(least_channels=9, most_channels=8), "the fewest channels, 9, are more than the most, 8"),
        (Space(least_rate=0.5, most_rate=0.1), "0.5, are more than the most, 0.1"),
        (Space(most_channels=0), "0 is outside 1 to 4,096"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(space: Space, reason: str) -> None:
    with pytest.raises(LabError, match=reason):
        check_search(SearchSpec(space), TINY, SHORT)


def test_a_search_holds_images_out_and_lets_no_test_figure_decide() -> None:
    recipe = searched(Recipe(schedule=ReduceLROnPlateau(monitor="test")))
    assert recipe.validation_size == 5_000
    assert not recipe.watches_test


def test_choices_are_told_in_a_line() -> None:
    choices = {"channels 1": 8, "channels 2": 12, "kernel 1": 3, "activation": "GELU", "dropout": 0.0512,
               "learning rate": 0.05, "augmentation": 0.7, "batch size": 128}  # fmt: skip
    assert choice_words(choices) == (
        "channels 8-12 · kernels 3 · GELU · dropout 0.051 · learning rate 0.05 · augmentation × 0.70 · batch size 128"
    )


# -------------------------------------------------------------------------------------------------- the tries, stored


@pytest.fixture
def store(home: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """A store on which nobody starts a worker."""
    monkeypatch.setattr(searching, "ensure_workers", lambda *_: None)
    return RunStore(home)


def train(store: RunStore, run_id: str, loss: float, *, failed: bool = False) -> None:
    """End the run that waits, as a worker would, with that loss on held-out images."""
    run = store.claim(["cpu"], "w", a_person=4)
    assert run is not None
    assert run.id == run_id
    store.add_epoch(run.id, "w", EpochRecord(0, loss, 0.5, loss, 0.5, 99.0, 0.99, 0.01, 1.0))
    store.finish(run.id, "w", "failed" if failed else "finished", "its loss is not a number" if failed else "")


def waiting(store: RunStore, search_id: str) -> list[str]:
    return [each.run.id for each in tries_of(store, search_id) if each.run and each.unfinished]


def begun(store: RunStore, spec: SearchSpec = SPEC) -> str:
    return start_search(store, TINY, SHORT, spec, dataset=EMBEDDED, device="cpu", by=ADA).id


def test_a_search_queues_one_try_after_the_other_as_ordinary_runs_of_its_owner(store: RunStore) -> None:
    search_id = begun(store)
    for number in range(SPEC.tries):
        (run_id,) = waiting(store, search_id)
        run = store.get(run_id)
        assert (run.owner, run.owner_key, run.epochs, run.recipe.validation_size) == ("Ada", "ada", 1, 5_000)
        assert run.parameters <= 600
        train(store, run_id, 1 / (1 + number))
        advance(store)
    advance(store)
    tries = tries_of(store, search_id)
    assert [each.number for each in tries] == [0, 1, 2, 3, 4, 5]
    assert [each.loss for each in tries] == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6]
    assert len(store.runs()) == SPEC.tries


def test_a_person_who_may_have_more_runs_at_a_time_has_more_tries_at_a_time(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_RUNS_A_PERSON", "3")
    monkeypatch.setenv("LAB_SIDE_BY_SIDE", "9")
    searching.settings.cache_clear()
    search_id = begun(store)
    assert len(waiting(store, search_id)) == 3
    advance(store)
    assert len(waiting(store, search_id)) == 3
    searching.settings.cache_clear()


def test_after_a_kill_between_two_tries_none_is_lost_and_none_doubled(
    store: RunStore, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies before the transaction, or after it; another one, with a store of its own, goes on."""
    search_id = begun(store)
    train(store, *waiting(store, search_id), 1.0)
    with monkeypatch.context() as dying:
        dying.setattr(searching, "add_try", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            advance(store)
    assert waiting(store, search_id) == []
    other = RunStore(home)
    with monkeypatch.context() as dying:
        dying.setattr(searching, "ensure_workers", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            advance(other)
    third = RunStore(home)
    advance(third)
    assert len(waiting(third, search_id)) == 1
    assert [each.number for each in tries_of(third, search_id)] == [0, 1]
    assert len(third.runs()) == 2


def test_of_two_supervisors_that_ask_at_one_moment_one_queues_the_try(
    store: RunStore, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search_id = begun(store)
    train(store, *waiting(store, search_id), 1.0)
    other, ask = RunStore(home), searching.propose

    def meanwhile(*given: object) -> object:
        with monkeypatch.context() as usual:
            usual.setattr(searching, "propose", ask)
            advance(other)
        return ask(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(searching, "propose", meanwhile)
    advance(store)
    assert [each.number for each in tries_of(store, search_id)] == [0, 1]
    assert len(store.runs()) == 2


def test_a_stopped_search_queues_nothing_more_and_goes_on_with_the_try_that_was_stopped(store: RunStore) -> None:
    search_id = begun(store)
    (run_id,) = waiting(store, search_id)
    with pytest.raises(SearchError, match="somebody else's"):
        stop_search(store, search_id, Person("eve", "Eve"))
    stop_search(store, search_id, ADA)
    advance(store)
    assert store.get(run_id).status == "stopped"
    assert len(tries_of(store, search_id)) == 1
    go_on(store, search_id, ADA)
    assert waiting(store, search_id) == [run_id]
    train(store, run_id, 1.0)
    advance(store)
    assert len(tries_of(store, search_id)) == 2


def test_a_search_of_which_all_tries_fail_ends_and_says_why(store: RunStore) -> None:
    search_id = begun(store, replace(SPEC, tries=50))
    for _ in range(searching.HOPELESS):
        train(store, *waiting(store, search_id), 9.0, failed=True)
        advance(store)
    assert waiting(store, search_id) == []
    assert search_of(store, search_id).error == (
        "the first 5 tries have all failed, the last one so: its loss is not a number"
    )


def test_a_deleted_try_is_not_tried_again(store: RunStore) -> None:
    search_id = begun(store)
    (run_id,) = waiting(store, search_id)
    train(store, run_id, 1.0)
    actions.delete(store, run_id, ADA)
    advance(store)
    first, second = tries_of(store, search_id)
    assert (first.run, first.number, second.number) == (None, 0, 1)
    assert first.choices != second.choices


def test_a_search_waits_while_its_owner_has_as_many_runs_in_the_queue_as_one_may(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    search_id = begun(store)
    train(store, *waiting(store, search_id), 1.0)
    monkeypatch.setattr(type(store), "waiting_of", lambda *_: 20)
    advance(store)
    assert waiting(store, search_id) == []
    assert search_of(store, search_id).error == ""
    monkeypatch.undo()


def test_a_search_that_cannot_be_made_leaves_nothing_in_the_store(store: RunStore) -> None:
    with pytest.raises(SearchError, match="the budget is 245"):
        begun(store, SearchSpec(budget=245))
    with pytest.raises(RunError, match="there is no data set"):
        start_search(store, TINY, SHORT, SPEC, dataset="none", by=ADA)
    assert store.rows("SELECT * FROM searches") == []
    with pytest.raises(RunError, match="there is no search 'none'"):
        search_of(store, "none")


def test_a_damaged_row_ends_its_search_and_stops_no_other(store: RunStore) -> None:
    bad, good = begun(store), begun(store)
    store.change("UPDATE searches SET spec = '{' WHERE id = ?", (bad,))
    store.change("UPDATE tries SET choices = '[[' WHERE search = ?", (good,))
    for run in reversed(store.runs()):
        train(store, run.id, 1.0)
    advance(store)
    assert "is not JSON" in search_of(store, bad).error
    assert len(waiting(store, good)) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("worker_here")
@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_searches_through_a_worker_and_prints_the_front(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    file = tmp_path / "tiny.json"
    file.write_text(architecture_to_json(TINY))
    options = ["--tries", "3", "--epochs", "1", "--budget", "600", "--vary", "channels,dropout", "--data", EMBEDDED]
    assert main(["search", str(file), *options, *(["--json"] if as_json else [])]) == 0
    told = capsys.readouterr().out
    store = RunStore(home)
    [search_id] = [row["id"] for row in store.rows("SELECT id FROM searches")]
    tries = tries_of(store, search_id)
    assert [each.run.status for each in tries if each.run] == ["finished"] * 3
    if as_json:
        found = json.loads(told)["front"]
        assert [(each["parameters"], each["held_out_loss"]) for each in found] == [
            (each.parameters, each.loss) for each in front(tries)
        ]
    else:
        assert [line.split(":")[0] for line in told.splitlines()[:3]] == ["try 1", "try 2", "try 3"]


def test_the_command_refuses_what_cannot_vary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "d8-third-2495", "--vary", "channels,colour"]) == 2
    assert "--vary: 'colour' is none of channels, kernel_size" in capsys.readouterr().err


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=12))
def test_the_front_is_what_no_other_try_beats(points: list[tuple[int, int]]) -> None:
    tries = [Made(number, {}, None, None, size, float(loss)) for number, (size, loss) in enumerate(points)]
    found = {(each.parameters, each.loss) for each in front(tries)}
    beaten = {
        one for one, other in product(points, repeat=2)
        if other != one and other[0] <= one[0] and other[1] <= one[1]
    }  # fmt: skip
    assert found == set(points) - beaten


class Made(Try):
    """A try with a size and a loss made up."""

    def __init__(self, number: int, choices: dict[str, int], run: None, last: None, size: int, loss: float) -> None:
        super().__init__(number, choices, run, last)
        object.__setattr__(self, "made", (size, loss))

    @property
    def parameters(self) -> int:
        return int(self.__dict__["made"][0])

    @property
    def loss(self) -> float | None:
        return float(self.__dict__["made"][1])
