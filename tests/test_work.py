"""What one works on goes along from page to page, and a deep link wins over it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.architecture.link import to_code
from core.checkpoints.checkpoint import load, normalisation_of
from core.data.mnist import load_split
from core.ladder import catalogue
from core.record import to_json
from core.training.evaluation import log_probabilities
from lab.classroom.designs import save_design
from lab.runs import store as stores
from lab.runs.store import RunStore
from lab.studies.answers import read_answers
from lab.studies.shelf import shipped
from lab.ui.checkpoints import USUAL
from lab.ui.work import Work, merged, noted, parameters, read_work, write_work
from tests.patience import patient

pytestmark = pytest.mark.own_data
ROOT = Path(__file__).resolve().parents[1]
C3 = catalogue.by_slug("c3-batchnorm-7448")
CODE = to_code(C3.architecture)


def test_a_design_is_what_every_page_of_a_network_opens_on() -> None:
    work = noted(Work(), "design", {"design": CODE, "from": "c3-batchnorm-7448"})
    for page in ("step", "field", "design", "train", "learning_rate"):
        assert parameters(work, page, {}) == {"design": CODE, "from": "c3-batchnorm-7448"}


def test_a_new_network_ends_the_run_of_the_one_before_and_the_design_stays() -> None:
    work = noted(Work(), "train", {"design": CODE, "run": "r1"})
    work = noted(work, "mistakes", {"checkpoint": "r1/last"})
    assert (work.run, work.checkpoint) == ("r1", "r1/last")
    work = noted(work, "step", {"step": "a3-dilation-5340", "width": "0.5"})
    assert (work.run, work.checkpoint, work.design) == ("", "", {"design": CODE})
    assert parameters(work, "train", {}) == {"step": "a3-dilation-5340", "width": "0.5"}
    assert parameters(work, "design", {}) == {"design": CODE}


def test_a_step_that_is_only_looked_at_makes_nothing_of_ones_own_forgotten() -> None:
    own = Work({"step": C3.slug}, {"design": CODE}, run="r1", test="t1", compared="r1,r2", checkpoint="r1/last")
    work = noted(own, "step", {"step": "a3-dilation-5340"})
    assert work == replace(own, looked={"step": "a3-dilation-5340"})
    assert parameters(work, "field", {}) == parameters(work, "step", {}) == {"step": "a3-dilation-5340"}
    assert parameters(work, "train", {}) == {"step": C3.slug}  # of a run that is gone by now; r1 is none
    assert noted(work, "train", {"step": C3.slug, "run": "r1"}) == own  # back at work, the look is over
    chosen = noted(work, "train", {"step": "a3-dilation-5340"})  # as by "Train this network"
    assert (chosen.network, chosen.run, chosen.checkpoint) == ({"step": "a3-dilation-5340"}, "", "")


def test_who_works_on_nothing_yet_goes_on_with_the_step_they_look_at() -> None:
    work = noted(Work(), "step", {"step": C3.slug})
    for page in ("step", "field", "train", "learning_rate"):
        assert parameters(work, page, {}) == {"step": C3.slug}
    assert parameters(work, "mistakes", {}) == {"checkpoint": C3.slug}


def test_a_new_run_takes_the_place_of_the_checkpoint_and_the_comparison_before() -> None:
    work = Work(network={"step": C3.slug}, run="r1", compared="r1,c6-steplr-7416", checkpoint="r1/best")
    work = noted(work, "train", {"step": C3.slug, "run": "r2"})
    assert work == Work(network={"step": C3.slug}, run="r2")


@pytest.mark.parametrize(
    ("page", "given"),
    [("train", {"run": "r9"}), ("step", {"step": "c6-steplr-7416"}), ("design", {"design": CODE}),
     ("mistakes", {"checkpoint": "b1-setup-10970"}), ("compare", {"runs": "c6-steplr-7416"})],
)  # fmt: skip
def test_a_deep_link_wins_over_what_is_remembered(page: str, given: dict[str, str]) -> None:
    work = Work(network={"step": C3.slug}, design={"from": C3.slug}, compared=C3.slug, checkpoint=C3.slug)
    assert parameters(work, page, given) == {}
    assert parameters(work, page, {"view": "Code"})


def test_what_is_gone_by_now_is_not_brought_along() -> None:
    gone = Work({"step": "z9"}, {"from": "saved:gone"}, "r9", "r9", "r9", "r9/last")
    assert all(parameters(gone, page, {}) == {} for page in ("train", "design", "compare", "mistakes", "learning_rate"))


def test_the_newest_work_of_a_browser_is_kept_and_the_oldest_browsers_are_forgotten(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, work = RunStore(home), Work(network={"step": C3.slug}, run="r1")
    monkeypatch.setattr(stores, "MAX_KEPT", 2)
    for key in ("one", "two", "two", "three"):
        store.keep(key, "work", lambda _: to_json(write_work(work)))
    assert [bool(store.kept(key, "work")) for key in ("one", "two", "three", "four")] == [False, True, True, False]
    assert read_work(store.kept("two", "work")) == work


def test_what_two_tabs_work_on_is_kept_beside_each_other_each_part_from_where_it_changed_last(home: Path) -> None:
    """Both began with the same; one then changes the design, the other looks at a run."""
    store, began = RunStore(home), Work(network={"step": C3.slug}, design={"from": C3.slug})
    store.keep("ada", "work", lambda _: to_json(write_work(began)))
    designing, looking = replace(began, design={"design": CODE}), replace(began, run="r1")
    for work in (designing, looking):
        store.keep("ada", "work", lambda kept, work=work: to_json(write_work(merged(kept, began, work))))  # type: ignore[misc]
    assert read_work(store.kept("ada", "work")) == replace(designing, run="r1")
    assert merged("of an older version", began, looking) == looking


def through_the_menu(app: AppTest, page: str) -> AppTest:
    """A click in the menu: the next page with a URL that says nothing."""
    app.switch_page(page)
    app.query_params.clear()
    return app.run()


def test_a_design_goes_through_the_menu_and_the_saved_one_stands_in_every_list_of_steps() -> None:
    save_design(C3.architecture)
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=patient(60)).run()
    through_the_menu(app, "pages/use/mistakes.py")
    assert app.selectbox(key="checkpoint_picker").value == USUAL
    through_the_menu(app, "pages/learn/step.py")
    app.selectbox(key="step_picker").set_value(f"saved:{C3.architecture.name}").run()
    assert not app.exception
    for page in ("pages/experiment/train.py", "pages/experiment/learning_rate.py", "pages/learn/step.py"):
        through_the_menu(app, page)
        assert not app.exception
        assert app.selectbox(key="step_picker").options[0] == f"Your design · {C3.architecture.name}"
    through_the_menu(app, "pages/experiment/design.py")
    assert app.query_params["design"] == CODE


def test_the_shipped_answers_are_those_that_the_weights_give(mnist_raw: Path) -> None:
    import torch

    digits = load_split("MNIST", "test")
    for shelved in shipped():
        kept = read_answers(shelved.stem, shelved.card.weights_sha256)
        assert kept is not None, shelved.reference
        assert len(kept) == len(digits.labels)
        assert abs((kept.argmax(1) == digits.labels).mean() - shelved.card.record.test_accuracy) < 0.0003
        assert read_answers(shelved.stem, "0" * 64) is None
        if shelved.reference in ("c6-steplr-7416", "d8-third-2495"):
            network, card = load(shelved.stem)
            few = torch.tensor(digits.images[:500])
            with torch.no_grad():
                again = log_probabilities(network, few, normalisation_of(card)).exp().numpy()
            assert np.allclose(kept[:500], again, atol=0.001)
