"""The report: opened, parsed and run; it needs nothing else, hides nothing, and gives nothing away."""

from __future__ import annotations

import contextlib
import csv
import html
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import sync_playwright

from core.analysis.prediction import Prediction, prediction_to_json
from core.architecture.trace import classifier
from core.checkpoints.card import card_from_dict
from core.data.mnist import EMBEDDED
from core.ladder import catalogue
from core.spreadsheet import safe_cell
from lab.runs.store import RunStore
from lab.settings import lab_home
from lab.studies.entries import find
from lab.studies.reference import findings_of
from lab.ui.axes import accuracy_at
from lab.ui.comparison_figure import QUANTITIES, Look, Shown, lettered, line
from lab.ui.report.figures import axis_of, chart
from lab.ui.report.page import report_html, report_name
from lab.ui.report.view import figures_csv
from tests.app_server import CHROMIUM_ARGUMENTS
from tests.made_runs import history, made_run, save_weights
from tests.test_learn_pages import opened

ROOT = Path(__file__).resolve().parents[1]
WHEN = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
VOID = {"meta", "br", "img", "link", "input", "hr"}
EVIL = "<script>alert(1)</script>\"'&{{7*7}}"


class Parsed(HTMLParser):
    """The tags of a page, its words, and whether every tag that opens is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def store(home: object) -> RunStore:
    return RunStore(lab_home())


def shown(store: RunStore, *keys: str) -> list[Shown]:
    return lettered([find(store, key) for key in keys])


def one_run(store: RunStore, name: str = "tiny", owner: str = "") -> str:
    accuracies = [0.31, 0.425, 0.4375]
    run = made_run(store, accuracies, name=name, owner=owner, dataset=EMBEDDED, seed=7)
    save_weights(run, accuracies, weights_seed=3)
    return run.id


def test_the_page_is_whole_and_needs_nothing_else(store: RunStore) -> None:
    page = report_html(shown(store, one_run(store)), WHEN)
    parsed = Parsed(page)
    assert parsed.open == []
    assert not {tag for tag, _ in parsed.tags} & {"script", "link", "iframe", "object", "embed", "base", "form", "img"}
    for _, attributes in parsed.tags:
        assert not {"src", "href", "onload", "onclick", "action"} & attributes.keys()
    assert "url(http" not in page
    assert len(page) < 300_000


def test_the_page_says_every_figure_of_the_run(store: RunStore) -> None:
    words = Parsed(report_html(shown(store, one_run(store, owner="Mia")), WHEN)).words
    for figure in ("31.00%", "42.50%", "43.75%", "434", "04 May 2026", "by Mia", "2.13.0"):
        assert figure in words
    assert "learning rate" in words
    assert "embedded digits" in words
    assert "Conv(4, kernel_size=3, stride=2)" in words


def test_the_code_in_the_page_runs_and_has_the_networks_parameters(store: RunStore) -> None:
    page = report_html(shown(store, one_run(store)), WHEN)
    (code,) = re.findall(r"<pre><code>(.*?)</code></pre>", page, re.DOTALL)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(html.unescape(code), {})
    assert "434 parameters" in said.getvalue()


def test_the_card_in_the_page_is_the_checkpoints(store: RunStore) -> None:
    page = report_html(shown(store, one_run(store)), WHEN)
    (text,) = re.findall(r"<summary>Card.*?</summary><pre>(.*?)</pre>", page, re.DOTALL)
    card = card_from_dict(json.loads(html.unescape(text)), "the report")
    assert card.record.test_accuracy == 0.4375


def test_the_page_has_the_prediction_beside_the_outcome_and_the_diagnosis(store: RunStore) -> None:
    run = store.get(one_run(store))
    said = prediction_to_json(Prediction(0.9, "neither", None))
    each = shown(store, run.id)[0]
    predicted = replace(each, entry=replace(each.entry, members=(replace(run, prediction=said),)))
    words = Parsed(report_html([predicted], WHEN)).words
    assert "90.00%" in words
    assert "✗ not so" in words
    finding = findings_of(run, each.entry.runs[0].history, [])[0]
    assert finding.words in words
    assert finding.evidence in words


def test_words_from_outside_stay_words(store: RunStore) -> None:
    keys = [one_run(store, EVIL[:60], EVIL[:30]), one_run(store, EVIL[:60], EVIL[:30])]
    page = report_html(shown(store, *keys), WHEN)
    parsed = Parsed(page)
    assert "script" not in {tag for tag, _ in parsed.tags}
    assert EVIL[:60] in parsed.words
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", page)[0]


def test_no_path_of_the_machine_is_in_the_page(store: RunStore, home: Path) -> None:
    key = one_run(store)
    for text in (report_html(shown(store, key), WHEN), figures_csv(shown(store, key))):
        for path in (str(ROOT), str(home), str(Path.home()), "/tmp"):
            assert path not in text


def test_a_comparison_says_what_differs_and_whether_it_is_real(store: RunStore) -> None:
    steps = [catalogue.by_slug(slug) for slug in ("c2-skeleton-7272", "c3-batchnorm-7448")]
    for number, step in enumerate(steps):
        for seed, last in ((1, 0.991), (2, 0.992), (3, 0.990)):
            made_run(
                store, [0.9, last + number * 0.002 + seed * 1e-4 * number], name=step.title, group=f"g{number}",
                seed=seed, architecture=step.architecture, recipe=step.recipe, status="stopped",
            )  # fmt: skip
    words = Parsed(report_html(shown(store, "g0", "g1"), WHEN)).words
    assert "paired t-test" in words
    assert "(n 3 pairs)" in words
    assert "BatchNorm" in words
    assert "The recipes are the same" in words
    assert "seed 1" in words
    for step in steps:
        assert f"{classifier(step.architecture).parameters:,}" in words


def test_the_same_runs_give_the_same_page(store: RunStore) -> None:
    several = shown(store, one_run(store), one_run(store))
    assert report_html(several, WHEN) == report_html(several, WHEN)


def test_a_run_without_an_epoch_still_makes_a_page(store: RunStore) -> None:
    run = made_run(store, [], status=None, recipe=catalogue.by_slug("c6-steplr-7416").recipe)
    assert "no epoch has ended yet" in Parsed(report_html(shown(store, run.id), WHEN)).words


@pytest.mark.parametrize("name", ["runs", "../../etc/passwd", "a b<c>", "ü"])
def test_the_files_name_is_plain(store: RunStore, name: str) -> None:
    (each,) = shown(store, one_run(store))
    named = report_name([replace(each, entry=replace(each.entry, name=name))])
    assert re.fullmatch(r"[a-z0-9-]+-report\.html", named)
    assert "runs" in named or name != "runs"


def test_the_report_opens_from_a_file_without_a_network(store: RunStore, browser_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(report_html(shown(store, one_run(store), one_run(store)), WHEN), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(browser_path), args=list(CHROMIUM_ARGUMENTS))
        try:
            page = browser.new_page()
            asked: list[str] = []
            complaints: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda message: complaints.append(message.text))
            page.goto(file.as_uri())
            assert page.locator("svg").count() == 3
            assert page.locator("svg").first.bounding_box()["width"] > 300  # type: ignore[index]
            assert page.locator("svg path").first.evaluate("path => path.getTotalLength()") > 50
            assert asked == [file.as_uri()]
            assert complaints == []
        finally:
            browser.close()


# ---------------------------------------------------------------------------------------------------------- the charts


LOOK = Look("#0072B2", "solid")


def drawn(*accuracies: float) -> ElementTree.Element:
    quantity = QUANTITIES["test accuracy"]
    given = line("A", "x", LOOK, [history(*accuracies)], quantity)
    return ElementTree.fromstring(chart([given], quantity, "Alt <words>"))


def test_a_chart_is_well_formed_and_its_points_stand_where_their_values_are() -> None:
    svg = drawn(0.990, 0.992, 0.994)
    (path,) = [each for each in svg.iter() if each.tag.endswith("path") and not each.tag.endswith("clipPath")]
    points = [tuple(map(float, point.split())) for point in re.findall(r"[ML]([\d.]+ [\d.]+)", path.get("d") or "")]
    across = [x for x, _ in points]
    up = [y for _, y in points]
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)
    shares = [accuracy_at(percent) - accuracy_at(99.0) for percent in (99.0, 99.2, 99.4)]
    assert (up[0] - up[1]) / (up[0] - up[2]) == pytest.approx(shares[1] / shares[2], abs=0.02)
    assert up[2] < up[0]
    words = [each.text for each in svg.iter() if each.tag.endswith("text")]
    assert "A 99.40" in words
    assert svg.get("aria-label") == "Alt <words>"


def test_a_chart_without_values_is_no_chart() -> None:
    assert chart([line("A", "x", LOOK, [[]], QUANTITIES["test loss"])], QUANTITIES["test loss"], "") == ""


@pytest.mark.parametrize(
    ("name", "values"), [("test accuracy", [99.0]), ("test loss", [0.03, 2.3]), ("test loss", [1e-6, 1e30])]
)
def test_an_axis_is_marked_at_some_round_values_that_its_words_tell(name: str, values: list[float]) -> None:
    axis = axis_of(QUANTITIES[name], values)
    assert 3 <= len(axis.marks) <= 13
    for place, words in axis.marks:
        assert axis.low <= place <= axis.high
        assert axis.at(float(words.replace(",", ""))) == pytest.approx(place)


# --------------------------------------------------------------------------------------------------------------- CSV


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", '=HYPERLINK("x")'])
def test_no_cell_is_a_formula(text: str) -> None:
    assert safe_cell(text).startswith("'")
    assert safe_cell(text).endswith(text)


def test_a_harmless_cell_stays_as_it_is() -> None:
    assert safe_cell("C6 · StepLR") == "C6 · StepLR"


def test_the_csv_has_a_row_for_each_epoch_and_no_formula(store: RunStore) -> None:
    run = made_run(store, [0.9, 0.95], name="=cmd|' /C calc'!A0", owner="@Mia")
    rows = list(csv.DictReader(io.StringIO(figures_csv(shown(store, run.id)))))
    assert [float(row["test_accuracy"]) for row in rows] == [0.9, 0.95]
    assert [row["epoch"] for row in rows] == ["1", "2"], "as the pages count"
    assert {row["name"] for row in rows} == {"'=cmd|' /C calc'!A0"}
    assert {row["nickname"] for row in rows} == {"'@Mia"}


# --------------------------------------------------------------------------------------------------------- the buttons


def test_compare_offers_the_report_and_the_figures(store: RunStore) -> None:
    app = opened("pages/experiment/compare.py", runs=one_run(store))
    assert not app.exception
    labels = [button.proto.label for button in app.get("download_button")]
    assert {"Report (HTML)", "Figures (CSV)"} <= set(labels)


def test_a_runs_own_panel_offers_its_report_and_a_comparison(store: RunStore) -> None:
    app = opened("pages/experiment/train.py", run=one_run(store))
    assert not app.exception
    assert "Report" in [button.proto.label for button in app.get("download_button")]
    assert "Compare it" in [link.proto.label for link in app.get("page_link")]
