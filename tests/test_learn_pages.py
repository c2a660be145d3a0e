"""The Learn pages and Train in AppTest: opened alone, by deep link, and with what a stale link may carry."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.analysis.study import SeedRun, write_study
from core.architecture.json_form import architecture_to_json
from core.architecture.trace import classifier
from core.ladder import catalogue
from core.ladder.model import Step
from core.ladder.relatives import EXTRAS
from core.training.recipe import Adam, recipe_to_json
from lab.classroom.leading import PAGES as LED_TO
from lab.classroom.leading import Shared
from lab.runs import supervisor
from lab.runs.rows import NewRun
from lab.runs.store import RunStore
from lab.settings import lab_home
from lab.studies import results as studies
from lab.studies import shelf
from lab.studies.shelf import shipped
from tests.patience import patient, wait
from tests.test_study_figures import made_up, made_up_study

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "pages").rglob("*.py"))


def opened(page: str, **parameters: str) -> AppTest:
    """A page as its deep link opens it."""
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=patient(60))
    app.switch_page(page)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def metric(app: AppTest, label: str) -> str:
    return next(each.value for each in app.metric if each.label == label)


def said(app: AppTest) -> str:
    """Everything the page says in words."""
    parts = [*app.markdown, *app.caption, *app.error, *app.warning, *app.info]
    return "\n".join(part.value for part in parts)


def cells(app: AppTest) -> list[str]:
    """The cells of the ladder's table, without the headings that a phone shows before them."""
    return [re.sub(r"^\*[^*]+\* ", "", each.value) for each in app.markdown]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_alone(page: str) -> None:
    app = opened(page)
    assert not app.exception
    assert app.title


def test_the_ladder_names_every_step_with_its_parameters() -> None:
    app = opened("pages/learn/ladder.py")
    words = said(app)
    for step in catalogue.LADDER:
        assert f"{classifier(step.architecture).parameters:,}" in words
        assert step.claim is None or f"{step.claim.best_test_accuracy:.2%}" in words


@pytest.fixture
def made_up_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the shipped studies."""
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    return tmp_path


def written(folder: Path, name: str, lasts: tuple[float, ...], first_seed: int = 0) -> None:
    """A study of C6's network under that name, with a run for each last accuracy."""
    runs = tuple(made_up(first_seed + seed, 0.99, 0.9951, last) for seed, last in enumerate(lasts))
    write_study(made_up_study(name, runs), folder / f"{name}.json")


def test_the_ladder_shows_mean_n_and_verdict_of_a_study(made_up_studies: Path) -> None:
    written(made_up_studies, "c6-steplr-7416", (0.9930, 0.9934, 0.9938))
    app = opened("pages/learn/ladder.py")
    words = cells(app)
    assert "**99.34%** ± 0.04 (n\u00a03)  \n:small[:gray[0 of 3 held 99.4%]]" in words
    assert words.count("cannot be told (n 3)") == 1  # every run was once at 99.51%: without a spread, no interval
    assert words.count(":gray[not measured]") == len(catalogue.LADDER) - 1


def test_the_ladder_shows_every_shipped_study_with_its_verdict() -> None:
    app = opened("pages/learn/ladder.py")
    words = cells(app)
    for step in catalogue.LADDER:
        study = studies.study_of(step.slug)
        if study is None:
            continue
        measured = studies.summarised(study.runs)
        assert measured is not None, f"the study of {step.slug} has no figures"
        mean, *deviation = studies.in_words(measured).split(" ", 1)
        held = f":small[:gray[{measured.holding} of {measured.n} held 99.4%]]"
        told = " ".join([f"**{mean}**", *deviation]).replace("(n ", "(n\u00a0")  # stays on one line
        row = words.index(f"{told}  \n{held}")
        assert f"{studies.judged(step, measured)}{studies.outdated_mark(study)}" in words[row:]


def test_the_learn_pages_go_on_without_any_study(made_up_studies: Path) -> None:
    words = cells(opened("pages/learn/ladder.py"))
    assert words.count(":gray[not measured]") == len(catalogue.LADDER)
    card = next(shelved.card for shelved in shipped() if shelved.card.slug == "c6-steplr-7416")
    step = opened("pages/learn/step.py", step="c6-steplr-7416", view="Result")
    assert not step.exception
    assert metric(step, "Test accuracy") == f"{card.record.test_accuracy:.2%}"  # its one run is shown
    assert "(n 1)" in said(step)
    assert list(step.table[0].value["reading"]) == ["not measured yet", "not measured yet"]


@pytest.fixture
def nothing_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No checkpoint where the shipped ones stand."""
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path)


@pytest.mark.usefixtures("made_up_studies", "nothing_shipped")
def test_a_step_with_neither_study_nor_card_shows_its_claim() -> None:
    app = opened("pages/learn/step.py", step="c1-setup-6379786", view="Result")
    assert not app.exception
    claim = catalogue.by_slug("c1-setup-6379786").claim
    assert claim is not None
    assert metric(app, "Test accuracy") == f"{claim.best_test_accuracy:.2%}"
    assert "**Measured here.** Not yet." in said(app)


@pytest.mark.usefixtures("nothing_shipped")
def test_a_step_with_a_study_but_no_card_shows_the_study(made_up_studies: Path) -> None:
    written(made_up_studies, "c1-setup-6379786", (0.9930, 0.9934))
    app = opened("pages/learn/step.py", step="c1-setup-6379786", view="Result")
    assert not app.exception
    assert metric(app, "Test accuracy") == "99.32%"
    assert next(each.delta for each in app.metric if each.label == "Test accuracy").startswith("± 0.03, 2 seeds")
    assert "**Measured here: 99.32% ± 0.03** after the last epoch, over 2 seeds (n 2)" in said(app)


def test_a_study_that_is_broken_or_empty_counts_as_none(made_up_studies: Path) -> None:
    (made_up_studies / "c3-batchnorm-7448.json").write_text("{")
    written(made_up_studies, "c6-steplr-7416", ())
    ragged = (made_up(0, 0.99, 0.991), SeedRun(1, made_up(1, 0.99).history, "cpu", "2", ""))
    write_study(made_up_study("c5-rotation-7448", ragged), made_up_studies / "c5-rotation-7448.json")
    for page in ("pages/learn/ladder.py", "pages/learn/step.py"):
        for slug in ("c3-batchnorm-7448", "c5-rotation-7448", "c6-steplr-7416"):
            assert not opened(page, step=slug, view="Result").exception


def test_a_steps_page_compares_one_change_at_a_time(made_up_studies: Path) -> None:
    written(made_up_studies, "c5-rotation-7448", (0.9900, 0.9902, 0.9904))
    written(made_up_studies, "c5-steplr", (0.9931, 0.9932, 0.9933))
    written(made_up_studies, "c6-steplr-7416", (0.9931,), first_seed=7)  # shares no seed
    app = opened("pages/learn/step.py", step="c6-steplr-7416", view="Result")
    assert not app.exception
    schedule, rest = app.table[0].value.to_dict("records")
    assert schedule["before"] == "C5 · Rotation: 99.02% ± 0.02 (n 3)"
    assert schedule["after"] == "C5 with C6's schedule: 99.32% ± 0.01 (n 3)"
    assert (schedule["difference, points"], schedule["95% interval"]) == ("+0.30", "+0.28 to +0.32")
    # By hand: differences 0.31, 0.30, 0.29; t = 0.30 / (0.01 / sqrt 3) = 51.96; p with 2 degrees of freedom
    assert schedule["p"] == "< 0.001"
    assert schedule["reading"] == "better (n 3)"
    assert rest["reading"] == "cannot be told (n 3 and 1)", "no seed is shared: one run against several"
    assert "ReLU now stands before batch norm" in said(app)


def test_opening_the_comparisons_imports_nothing_slow() -> None:
    script = (
        "import sys, lab.learn.ladder, lab.learn.step\n"
        "assert not {'torch', 'scipy'} & set(sys.modules), 'torch or scipy was imported'"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=patient(120))


@pytest.mark.parametrize("step", [*catalogue.LADDER, *EXTRAS], ids=lambda step: step.slug)
def test_a_step_opens_by_its_link_with_its_count(step: Step) -> None:
    app = opened("pages/learn/step.py", step=step.slug)
    assert not app.exception
    assert metric(app, "Parameters") == f"{classifier(step.architecture).parameters:,}"


@pytest.mark.parametrize("view", ["Layers", "Receptive field", "Result", "Code"])
def test_every_view_of_a_step_opens_by_its_link(view: str) -> None:
    app = opened("pages/learn/step.py", step="a3-dilation-5340", view=view)
    assert not app.exception
    assert metric(app, "Receptive field") == "40 of 28"


def test_the_right_field_stands_in_the_table_of_the_dilated_network() -> None:
    app = opened("pages/learn/step.py", step="a3-dilation-5340", view="Receptive field")
    table = app.dataframe[0].value
    assert list(table["field"]) == [3, 5, 7, 8, 8, 16, 24, 32, 40]
    assert list(table["on the image"])[-1] == "28 of 40"


def test_the_knobs_change_count_and_table_and_stand_in_the_url() -> None:
    app = opened("pages/learn/step.py", step="c6-steplr-7416")
    app.slider(key="width_picker").set_value(2.0).run()
    assert app.query_params["width"] == "2"
    wide = int(metric(app, "Parameters").replace(",", ""))
    assert 3.5 * 7416 < wide < 4 * 7416  # parameters grow with the square of the width, but for the ends
    app.toggle(key="bn_picker").set_value(False).run()
    assert app.query_params["bn"] == "0"
    assert not any("BatchNorm" in layer for layer in app.dataframe[0].value["layer"])


def test_a_link_with_knobs_opens_the_varied_network() -> None:
    app = opened("pages/learn/step.py", step="c6-steplr-7416", width="2", bn="0", dropout="0")
    assert not any("Dropout" in layer or "BatchNorm" in layer for layer in app.dataframe[0].value["layer"])
    assert "without batch norm" in said(app)


@pytest.mark.parametrize("page", ["pages/learn/step.py", "pages/experiment/train.py"])
def test_a_stale_step_in_the_link_is_one_sentence_and_the_page_goes_on(page: str) -> None:
    app = opened(page, step="z9-gone", width="wide", dropout="-3", bn="perhaps")
    assert not app.exception
    assert "z9-gone" in app.error[0].value
    assert metric(app, "Parameters") == "7,758"


def test_a_stale_run_in_the_link_is_one_sentence() -> None:
    app = opened("pages/experiment/train.py", run="<script>alert(1)</script>")
    assert not app.exception
    assert len(app.error) == 1
    assert "there is no run" in app.error[0].value


def test_learning_needs_no_torch() -> None:
    script = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        "for page in ('pages/learn/ladder.py', 'pages/learn/step.py'):\n"
        f"    app = AppTest.from_file('streamlit_app.py', default_timeout={patient(60)}).switch_page(page).run()\n"
        "    assert not app.exception\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=patient(120))


def test_a_recipe_that_cannot_be_followed_is_said_before_it_is_started() -> None:
    app = opened("pages/experiment/train.py", step="a2-final-7758")
    app.selectbox(key="recipe-a2-final-7758-schedule-ReduceLROnPlateau-monitor").set_value("validation").run()
    assert not app.exception
    assert "validation_size is 0" in app.error[0].value


def test_what_is_typed_and_started_in_one_go_is_what_is_trained() -> None:
    app = opened("pages/experiment/train.py", step="c2-skeleton-7272")
    app.number_input(key="recipe-c2-skeleton-7272-epochs").set_value(3)
    start = next(button for button in app.button if button.label == "Start training")
    start.click().run()
    assert not app.exception
    run = RunStore(lab_home()).get(app.query_params["run"])
    assert run.epochs == 3
    RunStore(lab_home()).request_stop(run.id)


def test_an_opened_run_fills_the_form_with_its_recipe() -> None:
    step = catalogue.by_slug("c2-skeleton-7272")
    recipe = replace(step.recipe, epochs=4, learning_rate=0.25, optimizer=Adam(), ema_decay=0.5)
    store = RunStore(lab_home())
    run = store.submit(
        NewRun(
            kind="train",
            slug=step.slug,
            name="mine",
            architecture_json=architecture_to_json(step.architecture),
            recipe_json=recipe_to_json(recipe),
            dataset="MNIST",
            device="auto",
            parameters=7272,
            seed=1,
            epochs=4,
        )
    )[0]
    store.request_stop(run.id)
    app = opened("pages/experiment/train.py", run=run.id)
    assert not app.exception
    key = f"recipe-{step.slug}-{run.id}"
    assert app.number_input(key=f"{key}-epochs").value == 4
    assert app.number_input(key=f"{key}-rate").value == 0.25
    assert app.selectbox(key=f"{key}-optimizer").value == "Adam"
    assert app.number_input(key=f"{key}-ema_decay").value == 0.5
    other = opened("pages/experiment/train.py", run=run.id, step="c6-steplr-7416")  # its form is that step's own
    assert other.number_input(key="recipe-c6-steplr-7416-epochs").value == 15


def test_a_link_with_nan_opens_the_step_as_it_is() -> None:
    app = opened("pages/learn/step.py", step="c6-steplr-7416", width="nan", dropout="inf")
    assert not app.exception
    assert metric(app, "Parameters") == "7,416"


def test_nothing_in_a_link_becomes_markup() -> None:
    app = opened("pages/learn/step.py", step="[click](https://example.org) <b>x</b>")
    assert "\\[click\\](https\\:\u2060//example.org) \\<b\\>" in app.error[0].value


def test_a_broken_run_store_is_a_sentence_and_the_learn_pages_go_on(home: Path) -> None:
    (home / "runs.sqlite3").write_text("this is no database, but a letter to the editor of one" * 50)
    app = opened("pages/learn/step.py", step="c6-steplr-7416")
    assert not app.exception
    assert metric(app, "Parameters") == "7,416"
    assert "runs.sqlite3" in app.error[0].value
    train = opened("pages/experiment/train.py", step="c6-steplr-7416")
    assert not train.exception


def test_a_run_of_a_step_that_is_gone_still_opens() -> None:
    store = RunStore(lab_home())
    step = catalogue.by_slug("c2-skeleton-7272")
    run = store.submit(
        NewRun(
            kind="train",
            name="Once a step",
            architecture_json=architecture_to_json(step.architecture),
            recipe_json="{}",
            dataset="MNIST",
            device="auto",
            parameters=7272,
            seed=1,
            epochs=15,
            slug="z1-gone-7272",
        )
    )[0]
    store.request_stop(run.id)
    app = opened("pages/experiment/train.py", run=run.id)
    assert not app.exception
    assert not app.error
    assert "Once a step" in said(app)


def test_a_link_that_names_only_a_run_takes_its_step_along() -> None:
    store = RunStore(lab_home())
    step = catalogue.by_slug("b4-rotation-7852")
    run = store.submit(
        NewRun(
            kind="train",
            name="B4",
            architecture_json=architecture_to_json(step.architecture),
            recipe_json="{}",
            dataset="MNIST",
            device="auto",
            parameters=7852,
            seed=1,
            epochs=15,
            slug=step.slug,
        )
    )[0]
    store.request_stop(run.id)
    app = opened("pages/experiment/train.py", run=run.id)
    assert app.selectbox(key="step_picker").value == "b4-rotation-7852"


def test_a_recipe_in_trouble_does_not_hide_an_open_run() -> None:
    store = RunStore(lab_home())
    step = catalogue.by_slug("a2-final-7758")
    run = store.submit(
        NewRun(
            kind="train",
            name="A2 at work",
            architecture_json=architecture_to_json(step.architecture),
            recipe_json=recipe_to_json(step.recipe),
            dataset="MNIST",
            device="auto",
            parameters=7758,
            seed=1,
            epochs=15,
            slug=step.slug,
        )
    )[0]
    store.request_stop(run.id)
    app = opened("pages/experiment/train.py", run=run.id)
    form = f"recipe-a2-final-7758-{run.id}"
    app.selectbox(key=f"{form}-schedule-ReduceLROnPlateau-monitor").set_value("validation").run()
    assert "validation_size is 0" in app.error[0].value
    assert "A2 at work" in said(app)


def test_a_run_that_no_worker_can_take_fails_with_the_workers_last_words(home: Path) -> None:
    store = RunStore(home)
    step = catalogue.by_slug("c2-skeleton-7272")
    run = store.submit(
        NewRun(
            kind="train",
            name="For a GPU",
            architecture_json=architecture_to_json(step.architecture),
            recipe_json="{}",
            dataset="MNIST",
            device="mps",
            parameters=7272,
            seed=1,
            epochs=15,
            slug=step.slug,
        )
    )[0]

    def has_failed() -> bool:
        supervisor.watch(store, store.get(run.id))
        return store.get(run.id).status == "failed"

    wait(has_failed, "the run failed", pause=0.2)
    failed = store.get(run.id)
    assert "the device mps was asked for" in failed.error


def test_every_figure_of_the_headline_says_how_it_comes_about() -> None:
    app = opened("pages/learn/step.py", step="a2-final-7758")
    told = {each.label: each.help for each in app.metric}
    assert "16 x 16 x 3 x 3 = 2,304" in told["Parameters"]
    assert "1 + 2 + 2 + 2 + 2 + 1 + 4 + 4 + 4 + 6 = 28" in told["Receptive field"]
    assert "conv2: 518,400, 34%" in told["MACs"]
    assert "99.4%" in told["Test accuracy"]


def test_every_page_can_follow_every_other() -> None:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=patient(120))
    for first, second in itertools.combinations(PAGES, 2):  # each pair in both orders, as the first comes again
        for page in (first, second):
            app.query_params.clear()  # as the menu does; what a page then has in its URL is its own
            assert not app.switch_page(page).run().exception, f"{page}, of {first} and {second}"
            shared = LED_TO.get(page, Shared())
            strange = set(app.query_params) - {*shared.parameters, *shared.widgets}
            assert page not in LED_TO or not strange, f"{page}, of {first} and {second}, has {strange} in its URL"
