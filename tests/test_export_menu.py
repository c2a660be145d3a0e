"""The Export menu: what it offers on each page that shows a network, and what a click writes."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.architecture.link import to_code
from core.architecture.spec import Architecture, Conv, Flatten
from core.ladder.catalogue import LADDER, by_slug
from lab.runs.store import RunStore
from lab.settings import ROOT, lab_home
from lab.studies.shelf import find
from lab.ui import file_names
from lab.ui.export_menu import TRAINING, WEIGHTS, _content, of_checkpoint, of_network, of_runs
from tests.made_runs import made_run
from tests.patience import patient

pytestmark = pytest.mark.own_data

C6 = "c6-steplr-7416"
UNTRAINED = ["Python code", "JSON", "ONNX, untrained", "Training script", "Notebook"]
TRAINED = [
    "Python code", "JSON", "ONNX, trained", "state_dict (.pth)", "safetensors", "Card", "Training script", "Notebook",
]  # fmt: skip
PAGES = {
    "pages/learn/step.py": ({"step": C6}, TRAINED),
    "pages/experiment/design.py": ({"from": "a2-final-7758"}, UNTRAINED),
    "pages/use/mistakes.py": ({"checkpoint": C6}, TRAINED),
    "pages/use/inside.py": ({"checkpoint": C6, "image": "5"}, TRAINED),
    "pages/use/draw.py": ({"checkpoint": C6}, TRAINED),
    "pages/experiment/compare.py": ({"runs": C6}, TRAINED),
}


def opened_menu(page: str, **parameters: str) -> AppTest:
    app = AppTest.from_file(ROOT / "streamlit_app.py", default_timeout=patient(120))
    app.session_state["export"] = True
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.switch_page(page).run()


def offered(app: AppTest) -> list[str]:
    return [each.proto.label for each in app.get("download_button") if "export-" in each.proto.id]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_page_that_shows_a_network_offers_what_there_is_of_it(page: str) -> None:
    parameters, expected = PAGES[page]
    app = opened_menu(page, **parameters)
    assert not app.exception
    assert offered(app) == expected
    choices = [str(option) for each in (*app.selectbox, *app.multiselect) for option in each.options]
    assert not [option for option in choices if any(step.slug in option for step in LADDER)], "names, not identifiers"


def test_a_run_offers_its_network_until_it_has_a_checkpoint() -> None:
    store = RunStore(lab_home())
    run = made_run(store, [0.9])
    (offer,) = of_runs([run])
    store.close()
    assert offer.leaving.weights is None
    assert ast.parse(_content("script", offer.leaving))


def test_the_files_of_a_checkpoint_are_named_after_it_and_made_when_asked_for() -> None:
    leaving = of_checkpoint(find(C6)).leaving
    assert [leaving.name(kind) for kind in (*TRAINING, *WEIGHTS)] == [
        f"{C6}-train.py", f"{C6}-train.ipynb", f"{C6}.onnx", f"{C6}.pth", f"{C6}.safetensors", f"{C6}-card.json",
    ]  # fmt: skip
    assert json.loads(_content("notebook", leaving))["nbformat"] == 4


def test_a_design_is_named_after_itself() -> None:
    step = by_slug("a2-final-7758")
    assert of_network(step.architecture, step.recipe).leaving.name("script").endswith("-train.py")


OF_THE_CLASS = {
    "doctor.json",
    "class-answers.csv",
    "class-runs.csv",
    "our-handwriting.zip",
}  # of no single run or network


def download_buttons() -> list[tuple[Path, ast.Call]]:
    found = []
    for path in (path for folder in ("lab", "pages") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "download_button":
                found.append((path, node))
    return found


def test_every_download_is_named_after_the_run_or_the_network_that_it_is_of() -> None:
    found = download_buttons()
    assert len(found) > 8
    for path, button in found:
        name = ast.unparse(button.args[2])
        by_name = ("file_names.of_", "leaving.name(", "report_name(")
        assert name.startswith(by_name) or ast.literal_eval(name) in OF_THE_CLASS, f"{path}: {name}"


def test_a_run_is_named_in_its_files_by_its_name_its_nickname_and_the_beginning_of_its_id() -> None:
    store = RunStore(lab_home())
    run = made_run(store, [0.9], name="Wide & deep", owner="Ada")
    store.close()
    assert file_names.of_run(run, "figures", ".csv") == f"wide-deep-ada-{run.id[:6]}-figures.csv"


def test_a_design_that_does_not_fit_leaves_as_json_and_by_its_link() -> None:
    broken = Architecture("broken", (Flatten(), Conv(8, 3)))
    app = opened_menu("pages/experiment/design.py", design=to_code(broken))
    assert not app.exception
    assert offered(app) == ["JSON"]
    assert any(to_code(broken) in code.value for code in app.code)
