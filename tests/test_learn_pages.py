"""The Learn pages and Train in AppTest: opened alone, by deep link, and with what a stale link may carry."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import catalogue
from core.trace import classifier

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "pages").rglob("*.py"))


def opened(page: str, **parameters: str) -> AppTest:
    """A page as its deep link opens it."""
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
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


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_alone(page: str) -> None:
    app = opened(page)
    assert not app.exception
    assert app.title


def test_the_app_opens_on_the_ladder() -> None:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    assert not app.exception
    assert app.title[0].value == "The ladder"


def test_the_ladder_names_every_step_with_its_parameters() -> None:
    app = opened("pages/learn/ladder.py")
    words = said(app)
    for step in catalogue.STEPS:
        assert f"{classifier(step.architecture).parameters:,}" in words
        assert f"{step.claim.best_test_accuracy:.2%}" in words


@pytest.mark.parametrize("step", [*catalogue.STEPS, *catalogue.EXTRAS], ids=lambda step: step.slug)
def test_a_step_opens_by_its_link_with_its_count(step: catalogue.Step) -> None:
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
    app.slider(key="knob_width").set_value(2.0).run()
    assert app.query_params["width"] == "2"
    wide = int(metric(app, "Parameters").replace(",", ""))
    assert 3.5 * 7416 < wide < 4 * 7416  # parameters grow with the square of the width, but for the ends
    app.toggle(key="knob_bn").set_value(False).run()
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
    import subprocess
    import sys

    script = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        "for page in ('pages/learn/ladder.py', 'pages/learn/step.py'):\n"
        "    app = AppTest.from_file('streamlit_app.py', default_timeout=60).switch_page(page).run()\n"
        "    assert not app.exception\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=120)


def test_a_recipe_that_cannot_be_followed_is_said_before_it_is_started() -> None:
    app = opened("pages/experiment/train.py", step="a2-final-7758")
    app.selectbox(key="recipe-a2-final-7758-schedule-ReduceLROnPlateau-monitor").set_value("validation").run()
    assert not app.exception
    assert "validation_size is 0" in app.error[0].value
