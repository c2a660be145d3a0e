"""The page Bring your own: code and weights from elsewhere become a checkpoint that every page works on."""

from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import nn

from core.architecture.spec import Architecture, BatchNorm, Conv, Flatten, GlobalAvgPool, MaxPool, ReLU
from core.data.mnist import best_present
from core.data.mnist import test_images as images_of
from core.training.network import build
from core.training.recipe import SGD, Recipe, StepLR, recipe_from_json
from core.training.recipe_words import recipe_words
from lab.runs.store import RunStore
from lab.settings import lab_home
from lab.studies.imported import delete_imported, imported
from lab.studies.shelf import find
from tests.patience import patient

CODE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.BatchNorm2d(4))
        self.last = nn.Conv2d(4, 10, 3)
        self.spare = nn.Linear(3, 3)

    def forward(self, x):
        x = F.max_pool2d(self.first(x), 2)
        x = self.last(x).mean((2, 3))
        return F.log_softmax(x, dim=1)
"""


def state_dict() -> dict[str, torch.Tensor]:
    network = nn.Module()
    network.first = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.BatchNorm2d(4))
    network.last = nn.Conv2d(4, 10, 3)
    network.spare = nn.Linear(3, 3)
    return network.state_dict()


def as_bytes(what: object) -> bytes:
    file = io.BytesIO()
    torch.save(what, file)
    return file.getvalue()


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    app = AppTest.from_file(str(Path(__file__).parents[1] / "streamlit_app.py"), default_timeout=patient(120))
    return app.switch_page("pages/use/import.py")


def said(page: AppTest) -> str:
    parts = (*page.success, *page.error, *page.info, *page.warning, *page.caption, *page.markdown)
    return "\n".join(str(each.value) for each in parts)


SCRIPT = """
lr = 0.05
optimizer = optim.SGD(net.parameters(), lr=lr, momentum=0.8)
scheduler = StepLR(optimizer, step_size=3)
"""


def query_of(page: AppTest, label: str) -> dict[str, list[str]]:
    """The parameters that a page's link gives."""
    (link,) = (each for each in page.get("page_link") if each.proto.label == label)
    return parse_qs(link.proto.query_string)


def trained_with(page: AppTest, query: dict[str, list[str]]) -> AppTest:
    """The page Train as the link opens it."""
    page.switch_page("pages/experiment/train.py")
    for name, (value,) in query.items():
        page.query_params[name] = value
    return page.run()


def test_a_pasted_script_brings_its_recipe_to_train_beside_its_network_or_alone(page: AppTest) -> None:
    page.run()
    page.text_area(key="bring-text").set_value(CODE + SCRIPT).run()
    assert "The training begins with the script's recipe" in said(page)
    query = query_of(page, "Train it")
    assert query.keys() == {"design", "recipe"}
    page.text_area(key="bring-text").set_value(SCRIPT).run()
    alone = query_of(page, "Train with it")
    assert alone == {"recipe": query["recipe"]}
    recipe = Recipe(learning_rate=0.05, optimizer=SGD(0.8), schedule=StepLR(3))
    assert recipe_from_json(alone["recipe"][0]) == recipe
    page.text_area(key="bring-text").set_value(CODE + SCRIPT.replace("SGD", "Lion")).run()
    assert "comes without the script's recipe. recipe: optimizer: unknown name 'Lion'" in said(page).replace("\\", "")
    assert "recipe" not in query_of(page, "Train it")

    train = trained_with(page, query)
    assert not train.exception
    assert f"The recipe that was brought: {recipe_words(recipe)}." in said(train)
    (rate,) = (each for each in train.number_input if each.label == "Learning rate")
    assert rate.value == 0.05
    (button,) = (each for each in train.button if each.label == "Take the step's own recipe")
    button.click().run()
    assert "recipe" not in train.query_params
    assert "The recipe that was brought" not in said(train)


def test_a_started_run_takes_the_place_of_the_recipe_in_the_address(page: AppTest, worker_here: None) -> None:
    page.run()
    train = trained_with(page, {"recipe": ['{"epochs": 1, "learning_rate": 0.05}']})
    (start,) = (each for each in train.button if each.label == "Start training")
    start.click().run()
    assert not train.exception
    assert "recipe" not in train.query_params
    (run,) = RunStore(lab_home()).runs()
    assert (run.recipe.epochs, run.recipe.learning_rate) == (1, 0.05)


@pytest.mark.slow
def test_a_pasted_class_takes_its_weights_and_is_put_on_the_shelf_for_its_owner_to_delete(page: AppTest) -> None:
    page.run()
    page.text_area(key="bring-text").set_value(CODE).run()
    assert not page.exception
    assert "spare (Linear, line 7)" in said(page).replace("\\", "")
    weights = state_dict()
    page.file_uploader(key="bring-files").upload("mine.pth", as_bytes({"model": weights}), "application/octet-stream")
    page.run()
    assert not page.exception
    assert "All 8 tensors have a place, by the code" in said(page)
    page.button(key="FormSubmitter:bring-form-Import").click().run()
    assert not page.exception
    (one,) = imported()
    assert one.card.choice == "imported"
    assert one.card.history == ()
    assert one.card.imported is not None
    assert find(one.reference).card.test_images == images_of(best_present())
    for name, parameters in (
        ("use/mistakes", {"checkpoint": one.reference}),
        ("use/inside", {"checkpoint": one.reference}),
        ("experiment/compare", {"runs": f"{one.reference},a2-final-7758", "view": "Differences"}),
        ("experiment/compare", {"runs": f"{one.reference},a2-final-7758"}),
        ("experiment/board", {}),
    ):
        page.switch_page(f"pages/{name}.py")
        page.query_params.clear()
        for key, value in parameters.items():
            page.query_params[key] = value
        page.run()
        assert not page.exception, name
        assert not page.error, (name, page.error)
    assert "imported" in page.dataframe[0].value.columns
    delete_imported(one.reference)
    assert imported() == ()


def test_a_file_that_is_not_taken_is_named_with_what_to_do(page: AppTest) -> None:
    page.run()
    page.file_uploader(key="bring-files").upload("whole.pt", as_bytes(nn.Linear(2, 2)), "application/octet-stream")
    page.run()
    assert not page.exception
    assert "torch.save(model.state_dict()" in said(page).replace("\\", "")


def test_weights_that_do_not_fit_are_told_with_both_shapes_and_the_change_that_fits_is_offered(page: AppTest) -> None:
    page.run()
    page.text_area(key="bring-text").set_value(CODE.replace("nn.Conv2d(1, 4, 3)", "nn.Conv2d(1, 4, 3, bias=False)"))
    weights = {name: value for name, value in state_dict().items() if not name.startswith("spare")}
    page.file_uploader(key="bring-files").upload("mine.pth", as_bytes(weights), "application/octet-stream")
    page.run()
    assert not page.exception
    assert "first.0.bias" in said(page)
    assert (
        "Conv(4, kernel_size=3, bias=False) becomes Conv(4, kernel_size=3)" in page.radio(key="bring-offer").options[0]
    )


def test_a_network_of_the_lab_is_found_for_weights_that_come_alone(page: AppTest) -> None:
    network = build(
        Architecture("x", (Conv(8, 3), ReLU(), BatchNorm(), MaxPool(2), Conv(10, 3), GlobalAvgPool(), Flatten()))
    )
    page.run()
    page.file_uploader(key="bring-files").upload("alone.pt", as_bytes(network.state_dict()), "application/octet-stream")
    page.run()
    assert not page.exception
    assert "no network here has such weights" in said(page)
