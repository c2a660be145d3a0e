"""The whole loop in a real browser, on the real data: a step, a run, its mistakes, a drawing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Locator, Page, expect
from safetensors.torch import load_file

from core.architecture.json_form import architecture_to_json
from core.checkpoints.card import read_card
from core.data.mnist import EMBEDDED
from core.ladder import catalogue
from core.training.recipe import recipe_to_json
from lab.runs.rows import Kind, NewRun, Run
from lab.runs.store import RunStore
from lab.studies.shelf import SHIPPED
from tests.app_server import SCREENSHOTS, Server, browsing, charts_drawn, draw, screenshot, serving, settled, wait_until
from tests.patience import milliseconds, wait

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_DATA", str(mnist))
        with serving(tmp_path_factory.mktemp("home")) as running:
            yield running


@pytest.fixture
def page(browser_path: Path, mnist_raw: Path, server: Server) -> Iterator[Page]:
    with browsing(browser_path) as opened:
        yield opened


def test_a_fresh_servers_first_deep_link_opens_the_page_and_no_box(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/step?step=a2-final-7758")
    settled(page)
    expect(page.get_by_text("7,758", exact=True).first).to_be_visible()
    expect(page.get_by_text("Page not found")).to_have_count(0)
    assert "step=a2-final-7758" in page.url
    screenshot(page, "step")


def test_the_ladder_leads_to_a_step(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/ladder")
    settled(page)
    page.wait_for_selector(".js-plotly-plot")
    screenshot(page, "ladder")
    page.get_by_role("link", name="A3 · Dilation").click()
    expect(page.get_by_role("heading", name="A step of the ladder")).to_be_visible()
    settled(page)
    expect(page.get_by_text("5,340", exact=True).first).to_be_visible()


COUNT_CLICKS = """() => {
    window.clicks = 0;
    const count = event => { window.clicks += event.isTrusted && event.target.closest("a, button") ? 1 : 0; };
    document.addEventListener("click", count, true);
}"""


def clicks(page: Page) -> int:
    return int(page.evaluate("window.clicks"))


def test_a_newcomer_is_read_with_no_click_trains_with_two_and_is_inside_their_worst_mistake_with_two_more(
    page: Page, server: Server
) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(server.address)
    settled(page)
    page.evaluate(COUNT_CLICKS)
    expect(page.get_by_role("link", name="I teach a class")).to_be_in_viewport(ratio=1)
    read = page.locator(".read b")
    expect(read).to_have_count(2)

    def is_read() -> bool:
        draw(page, [(60, 55), (180, 55), (150, 120), (115, 210)])  # a seven
        with suppress(AssertionError):
            expect(read.first).to_have_text("7", timeout=milliseconds(5))
            return True
        return False

    wait(is_read, "the small network read a seven")
    expect(page.get_by_role("link", name="I teach a class")).to_be_in_viewport(ratio=1)
    assert clicks(page) == 0

    page.get_by_role("link", name="Train the small one yourself").click()
    expect(page.get_by_role("heading", name="Train a network")).to_be_visible()
    settled(page)
    fill(page, "Epochs", "1")  # by the keyboard, so that the test is short
    fill(page, "Batch size", "512")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile("run="))
    expect(page.get_by_text("images/s").first).to_be_visible()
    assert clicks(page) == 2
    first = points_drawn(page)
    node = page.locator(".live-plot").last
    node.evaluate("element => { element.dataset.seen = 'yes' }")
    wait_until(page, "before => document.querySelectorAll('.live-plot')[1].data[0].x.length > before", first)
    assert node.get_attribute("data-seen") == "yes", "the live chart was mounted anew"
    screenshot(page, "training")
    run_address = page.url

    with_second_look(page, run_address)
    expect(page.get_by_text(re.compile("finished after 1 of 1 epoch$"))).to_be_visible(timeout=milliseconds(180))
    settled(page)
    screenshot(page, "finished")
    page.get_by_role("link", name="Its worst mistake").click()
    expect(page.get_by_role("dialog").get_by_role("img", name="Probabilities")).to_be_visible()
    assert clicks(page) == 3
    page.get_by_role("link", name="Look inside at this digit").click()
    expect(page.get_by_role("heading", name="Look inside")).to_be_visible()
    assert clicks(page) == 4


C6 = """
def block(a, b):
    return nn.Sequential(nn.Conv2d(a, b, 3, bias=False), nn.ReLU(), nn.BatchNorm2d(b), nn.Dropout(0.05))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Conv2d(1, 8, 3, bias=False)
        self.squeeze = nn.Conv2d(16, 8, 1, bias=False)
        self.wide = block(8, 16)
        self.body = nn.Sequential(block(8, 16), block(16, 8), block(8, 16), block(16, 16))
        self.head = nn.Conv2d(16, 10, 1, bias=False)

    def forward(self, x):
        x = self.squeeze(self.wide(F.relu(self.start(x))))
        x = F.avg_pool2d(self.body(F.max_pool2d(x, 2)), 4)
        return F.log_softmax(self.head(x).view(-1, 10), dim=1)
"""
# Where the modules of the shipped C6 are in that class.
C6_PATHS = {"0": "start", "2": "wide.0", "4": "wide.2", "6": "squeeze", "25": "head"} | {
    str(8 + 4 * number + 2 * part): f"body.{number}.{2 * part}" for number in range(4) for part in (0, 1)
}


def test_a_pasted_class_takes_its_weights_and_its_mistakes_open(page: Page, server: Server, tmp_path: Path) -> None:
    ours = load_file(SHIPPED / "c6-steplr-7416.safetensors")
    theirs = {f"{C6_PATHS[name.split('.')[0]]}.{name.split('.', 1)[1]}": value for name, value in ours.items()}
    torch.save({"epoch": 15, "model_state_dict": theirs}, tmp_path / "mine.pth")
    page.goto(f"{server.address}/import")
    settled(page)
    page.get_by_label("Paste code, or a torchsummary table").fill(C6)
    page.get_by_label("Paste code, or a torchsummary table").press("Control+Enter")
    expect(page.get_by_text("7,416", exact=True).first).to_be_visible()
    page.set_input_files("input[type=file]", str(tmp_path / "mine.pth"))
    expect(page.get_by_text("All 28 tensors have a place, by the code.")).to_be_visible()
    expect(page.get_by_text(re.compile(r"mean 0\.1307, sd 0\.3081: MNIST's own · proposed"))).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("99.25% of 10,000 test images of MNIST").first).to_be_visible()
    screenshot(page, "import")
    page.get_by_role("link", name="Its mistakes").click()
    expect(page.get_by_text("99.25%").first).to_be_visible()
    settled(page)
    assert "checkpoint=imported-net" in page.url
    expect(page.get_by_text(re.compile(r"75 of 10,000"))).to_be_visible()


def with_second_look(page: Page, address: str) -> None:
    """A second tab finds the same run by its URL."""
    second = page.context.new_page()
    second.set_default_timeout(milliseconds(120))  # other tests run beside this one
    second.goto(address)
    second.wait_for_selector(".live-plot")
    expect(second.get_by_text(re.compile("running on|finished after"))).to_be_visible()
    second.close()


def test_stop_ends_a_run_and_says_after_how_many_epochs(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/train?step=a1-skeleton-509946")
    settled(page)
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text("images/s").first).to_be_visible()
    of_the_page(page, "Stop").click()
    expect(page.get_by_text("stopped after 0 of 15 epochs")).to_be_visible(timeout=milliseconds(30))
    screenshot(page, "stopped")


def test_the_buttons_of_an_ended_run_act_on_the_whole_page(page: Page, server: Server) -> None:
    """A button in a fragment without a clock reruns the fragment alone: Go on and Start anew must do more."""
    run = submitted(server, "train", epochs=100)  # the most that a run may have
    page.goto(f"{server.address}/train?run={run.id}")
    settled(page)
    store = RunStore(server.home)
    wait_until(page, "document.body.innerText.includes('Test, last epoch')")  # an epoch is done
    of_the_page(page, "Stop").click()
    expect(page.get_by_text("stopped after")).to_be_visible()

    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("running on cpu")).to_be_visible()
    of_the_page(page, "Stop").click()
    expect(page.get_by_text("stopped after")).to_be_visible()

    page.get_by_role("button", name="Start anew").click()
    page.wait_for_url(lambda address: "run=" in address and run.id not in address)
    expect(page.get_by_text("running on cpu")).to_be_visible()
    of_the_page(page, "Stop").click()
    expect(page.get_by_text("stopped after")).to_be_visible()
    assert {each.status for each in store.runs(limit=2)} == {"stopped"}


def test_a_suggested_rate_goes_into_the_form(page: Page, server: Server) -> None:
    run = submitted(server, "range_test", epochs=0)
    page.goto(f"{server.address}/train?run={run.id}")
    settled(page)
    use = page.get_by_role("button", name="Use it").first
    use.wait_for()
    suggested = json.loads(RunStore(server.home).get(run.id).result)["suggestions"][0]["learning_rate"]
    screenshot(page, "range-test")
    use.click()
    expect(page.get_by_label("Learning rate", exact=True)).to_have_value(f"{suggested:.4g}")
    expect(page.get_by_text("The learning rate to come")).to_be_visible()
    assert "run=" not in page.url


def submitted(server: Server, kind: Kind, epochs: int) -> Run:
    """A run of C6 on the embedded digits, which takes a second an epoch, queued as another session would queue it."""
    step = catalogue.by_slug("c6-steplr-7416")
    return RunStore(server.home).submit(
        NewRun(
            kind=kind,
            name=step.architecture.name,
            architecture_json=architecture_to_json(step.architecture),
            recipe_json=recipe_to_json(replace(step.recipe, epochs=max(1, epochs))),
            dataset=EMBEDDED,
            device="auto",
            parameters=7416,
            seed=1,
            epochs=epochs,
            slug=step.slug,
        )
    )[0]


def of_the_page(page: Page, button: str) -> Locator:
    """A button of ours: while a script runs, Streamlit's header has a Stop of its own."""
    return page.get_by_test_id("stMainBlockContainer").get_by_role("button", name=button, exact=True)


def points_drawn(page: Page) -> int:
    """How many batches the loss curve shows."""
    wait_until(page, "document.querySelectorAll('.live-plot')[1]?.data?.[0]?.x?.length > 0")
    return int(page.evaluate("document.querySelectorAll('.live-plot')[1].data[0].x.length"))


def fill(page: Page, label: str, value: str) -> None:
    """Type a number and let the page take it."""
    field = page.get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")
    settled(page)


def test_mistakes_show_a_page_of_digits_and_one_opens(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/mistakes?checkpoint=c6-steplr-7416")
    settled(page)
    wrong = round(10_000 * (1 - read_card(SHIPPED / "c6-steplr-7416.json").record.test_accuracy))
    expect(page.get_by_text(f"{wrong} of 10,000 wrong")).to_be_visible()
    first = page.get_by_role("button", name=re.compile(r"^Image \d+: \d read as \d")).first
    said = first.inner_text()
    screenshot(page, "mistakes")
    first.locator("img").click()  # the digit itself is the door
    expect(page.get_by_role("dialog")).to_be_visible()
    charts_drawn(page)
    page.screenshot(path=SCREENSHOTS / "mistake.png")
    assert re.match(r"^\d read as \d", said)


RING = [(140 + 62 * math.sin(turn / 20 * math.tau), 140 - 88 * math.cos(turn / 20 * math.tau)) for turn in range(21)]
STROKES = {"1": [(140, 50), (138, 230)], "0": RING, "7": [(85, 65), (195, 65), (170, 130), (130, 230)]}


def test_drawn_digits_are_read(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/draw")
    settled(page)
    page.wait_for_selector("canvas")
    reading = page.locator('[data-testid="stMetricValue"]').first
    for digit, points in STROKES.items():

        def is_read(digit: str = digit, points: Sequence[tuple[float, float]] = points) -> bool:
            draw(page, points)  # once more where the canvas was too new to listen: the same line over the same line
            with suppress(AssertionError):
                expect(reading).to_have_text(digit, timeout=milliseconds(5))
                return True
            return False

        wait(is_read, f"a drawn {digit} was read")
        charts_drawn(page)
        screenshot(page, f"draw-{digit}")
        page.get_by_test_id("stBaseButton-secondary").filter(has_text="Clear").click()
        expect(reading).to_have_text("—")
        settled(page)
    page.set_viewport_size({"width": 1280, "height": 720})
    page.get_by_text("Shift it, turn it, make it thick or noisy").click()
    page.get_by_role("slider", name="Noise, grey levels").scroll_into_view_if_needed()
    for bars in page.locator(".st-key-answers .live-plot").all():
        expect(bars).to_be_in_viewport(ratio=1)
    expect(page.locator("canvas").last).to_be_in_viewport(ratio=1)


def test_a_lesson_is_presented_with_the_arrow_keys(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/walkthroughs?lesson=dilation&scene=2&present=1")
    expect(page.get_by_text("Dilation, and the table that was wrong: 2 of 7")).to_be_visible()
    expect(page.get_by_role("button", name="Learn")).to_have_count(0)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("3 of 7")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("2 of 7")).to_be_visible()
    settled(page)  # or the field that is filled may be the one about to be drawn anew
    page.get_by_role("spinbutton").fill("14")
    page.keyboard.press("Enter")
    expect(page.get_by_text("A pool does not double the field.")).to_be_visible()
    settled(page)
    screenshot(page, "presentation")
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_text("Learn", exact=True).first).to_be_visible()


def test_a_design_is_trained_explained_compared_and_stands_on_the_board(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/design?from=c6-steplr-7416")
    settled(page)
    fill(page, "out_channels", "10")
    expect(page.get_by_text("7,722", exact=True).first).to_be_visible()  # 2 x 9 more in conv1, 16 x 18 in conv2
    page.get_by_role("link", name="Train this network").click()
    expect(page.get_by_role("heading", name="Train a network")).to_be_visible()
    settled(page)
    fill(page, "Epochs", "1")
    fill(page, "Batch size", "512")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile("run="))
    expect(page.get_by_text(re.compile("finished after 1 of 1 epoch$"))).to_be_visible(timeout=milliseconds(180))
    expect(page.get_by_text("What happened, and what to try")).to_be_visible()
    settled(page)
    screenshot(page, "explained")
    run = re.search("run=([0-9a-f]{16})", page.url)
    assert run is not None

    page.goto(f"{server.address}/compare?runs={run[1]},c6-steplr-7416")
    expect(page.get_by_role("heading", name="Compare runs")).to_be_visible()
    settled(page)
    expect(page.get_by_text("7,722").first).to_be_visible()
    page.get_by_text("Is it real?", exact=True).click()
    settled(page)
    screenshot(page, "compared")

    page.goto(f"{server.address}/board")
    settled(page)
    expect(page.get_by_text("Challenge board").first).to_be_visible()
    page.wait_for_selector(".js-plotly-plot")
    screenshot(page, "board")
