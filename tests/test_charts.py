"""No chart hides data: every value lies within the axes, at the place that the ticks say, from the first epoch on."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import plotly.graph_objects as go
import plotly.io
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.analysis.study import SeedRun, Summary
from core.ladder import catalogue
from core.training.history import EpochRecord
from core.training.recipe import RangeTest
from lab.experiment.board import figures as board_figures
from lab.learn.ladder import ladder_points
from lab.learn.lessons import figures as lesson_figures
from lab.runs.rows import BatchRow
from lab.studies import results as studies
from lab.studies.ranking import Standing, front
from lab.studies.ranking import ladder as ladder_standings
from lab.ui import comparison_figure as compare_figures
from lab.ui import curves, figures, ladder_figure
from lab.ui import rate_figures as rate_figures
from lab.ui.axes import CLOSE, USUAL, WHOLE, accuracy_at, decades, spelt
from lab.ui.comparison_figure import QUANTITIES, Look
from lab.ui.labels import Box, shared
from lab.ui.report import figures as report_figures
from tests.app_server import Server, browsing, charts_drawn, serving, settled, wait_until

pytestmark = pytest.mark.own_data

LOOK = Look("#0072B2", "solid")
PER_EPOCH = 4  # batches
SOME = settings(max_examples=25)

accuracies = st.one_of(st.sampled_from([0.0, 0.08, 0.098, 0.9, 0.98, 0.994, 0.9999, 1.0]), st.floats(0, 1))
losses = st.one_of(st.sampled_from([0.0, 1e-6, 0.01, 0.03, 2.3, 10.0, 1e30]), st.floats(1e-6, 1e30))


@st.composite
def histories(draw: st.DrawFn, least: int = 1, most: int = 100) -> list[EpochRecord]:
    epochs = draw(st.one_of(st.sampled_from([1, 2, 3, 15, 100]), st.integers(least, most)))
    epochs = min(max(epochs, least), most)
    held_out = draw(st.booleans())
    loss = st.lists(losses, min_size=epochs, max_size=epochs)
    accuracy = st.lists(accuracies, min_size=epochs, max_size=epochs)
    rows = zip(draw(loss), draw(accuracy), draw(loss), draw(accuracy), draw(loss), draw(accuracy), strict=True)
    return [
        EpochRecord(n, a, b, c if held_out else None, d if held_out else None, e, f, 0.01, 2.0)
        for n, (a, b, c, d, e, f) in enumerate(rows)
    ]


@st.composite
def rows_of_batches(draw: st.DrawFn, epochs: int) -> list[BatchRow]:
    count = draw(st.integers(0, min(30, epochs * PER_EPOCH)))
    values = draw(st.lists(st.tuples(losses, accuracies), min_size=count, max_size=count))
    return [BatchRow(n, n // PER_EPOCH, loss, accuracy, 0.1, 1000.0) for n, (loss, accuracy) in enumerate(values)]


def read(figure: figures.Plain | go.Figure) -> go.Figure:
    """The figure as Plotly reads it; it refuses any word or value that it does not know."""
    return go.Figure(json.loads(plotly.io.to_json(figure, validate=True)))


def bounds(axis: go.layout.XAxis | go.layout.YAxis) -> tuple[float, float]:
    low, high = sorted(axis.range)
    return (0.999999 * 10**low, 1.000001 * 10**high) if axis.type == "log" else (low, high)


def assert_all_within(figure: go.Figure) -> None:
    """Every point of every trace lies within the ranges of the axes that it is drawn on."""
    drawn = 0
    for trace in figure.data:
        x_axis = figure.layout[(trace.xaxis or "x").replace("x", "xaxis")]
        y_axis = figure.layout[(trace.yaxis or "y").replace("y", "yaxis")]
        if y_axis.range is None:  # a panel that shares its accuracies with the first
            y_axis = figure.layout.yaxis
        (left, right), (low, high) = bounds(x_axis), bounds(y_axis)
        xs, ys = ([] if values is None else list(values) for values in (trace.x, trace.y))
        ups, downs = ([] if each is None else each for each in (trace.error_y.array, trace.error_y.arrayminus))
        assert len(xs) == len(ys)
        for x, y, up, down in itertools.zip_longest(xs, ys, ups, downs):
            if y is None or math.isnan(y):  # a gap
                continue
            drawn += 1
            assert left <= x <= right, (trace.name, x)
            assert low <= y - (down or 0) <= y + (up or 0) <= high, (trace.name, y)
    assert drawn, "there is nothing on it"


def assert_ticks_tell_their_places(axis: go.layout.YAxis, place: Callable[[float], float]) -> None:
    """Each tick's text is a number, and the tick stands where that number stands; several of them, none on another."""
    numbers = [float(text.replace(",", "")) for text in axis.ticktext]
    assert list(axis.tickvals) == pytest.approx([place(number) for number in numbers], rel=1e-5, abs=1e-5)
    assert numbers == sorted(set(numbers))
    assert len([tick for tick in axis.tickvals if bounds(axis)[0] <= tick <= bounds(axis)[1]]) >= 3


def as_it_is(value: float) -> float:
    return value


# ---------------------------------------------------------------------------------------------------------- the scales


def test_better_stands_higher_and_everything_from_0_to_100_has_a_place() -> None:
    places = [accuracy_at(percent / 100) for percent in range(10_001)]
    assert places == sorted(set(places))
    assert WHOLE.range[0] < places[0] < places[-1] < WHOLE.range[1]
    assert CLOSE.range[0] < accuracy_at(98) < CLOSE.range[1]
    assert accuracy_at(100) - accuracy_at(99) > 0.8 * (accuracy_at(99) - accuracy_at(90)), "as the texts say"


@pytest.mark.parametrize("view", [WHOLE, CLOSE], ids=["whole", "close"])
@pytest.mark.parametrize("pixels", [205.0, 320.0, 500.0])
def test_no_label_of_an_accuracy_lies_on_another(view: figures.View, pixels: float) -> None:
    marks = view.marks(pixels)
    scale = pixels / (view.range[1] - view.range[0])
    assert 8 <= len(marks) <= 20
    assert {view.low, 99, 99.5, 100} <= set(marks)
    gaps = [scale * (accuracy_at(b) - accuracy_at(a)) for a, b in itertools.pairwise(marks)]
    assert min(gaps) >= 14, "a label is 14 pixels high"


@given(st.lists(losses, max_size=8))
def test_a_loss_axis_has_few_labels_and_every_label_is_a_number(some: list[float]) -> None:
    scale = decades(some)
    assert scale.low <= USUAL.low
    assert scale.high >= USUAL.high
    for marks in (scale.marks(205), scale.marks(320)):
        assert 3 <= len(marks) <= 16
        assert [float(spelt(mark).replace(",", "")) for mark in marks] == marks
    assert all(scale.low <= math.log10(scale.at(loss)) <= scale.high for loss in some)


def test_a_usual_loss_has_the_labels_that_one_expects() -> None:
    low = ["0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10"]
    assert [spelt(mark) for mark in decades([2.3, 0.03]).marks(320)] == low
    assert [spelt(mark) for mark in decades([2.3, 0.03]).marks(205)] == ["0.001", "0.01", "0.1", "1", "10"]
    assert [spelt(mark) for mark in decades([3e6]).marks(205)][-1] == "1e7"


# ---------------------------------------------------------------------------------------------------------- of one run


@SOME
@given(st.data())
def test_a_runs_charts_show_every_value_whatever_it_is(data: st.DataObject) -> None:
    epochs = data.draw(histories())
    planned = len(epochs) + data.draw(st.integers(0, 20))
    batches = data.draw(rows_of_batches(planned))
    claimed = data.draw(st.lists(accuracies, max_size=20))
    accuracy = read(curves.accuracy_curves(epochs, planned, 0.994, claimed, batches=batches, per_epoch=PER_EPOCH))
    loss = read(curves.loss_curves(epochs, batches, planned, PER_EPOCH))
    for figure in (accuracy, loss):
        assert_all_within(figure)
    assert_ticks_tell_their_places(accuracy.layout.yaxis, accuracy_at)
    assert_ticks_tell_their_places(loss.layout.yaxis, as_it_is)
    assert accuracy.layout.xaxis.range == loss.layout.xaxis.range
    test = next(trace for trace in accuracy.data if trace.name == "test")
    assert list(test.y) == pytest.approx([accuracy_at(100 * record.test_accuracy) for record in epochs])


def usual(epochs: int) -> tuple[list[EpochRecord], list[BatchRow]]:
    """As a network learns: the loss falls from ln 10, the accuracy rises from a tenth."""
    records = [
        EpochRecord(n, 0.4 / (n + 1), 1 - 0.12 / (n + 1), None, None, 0.2 / (n + 1), 1 - 0.05 / (n + 1), 0.01, 2.0)
        for n in range(epochs)
    ]
    return records, [
        BatchRow(n, n // PER_EPOCH, max(0.004, 2.3 / (n + 1)), 1 - 0.9 / (n + 1), 0.1, 1e3)
        for n in range(epochs * PER_EPOCH)
    ]


@pytest.mark.parametrize("planned", [1, 2, 3, 15, 100])
def test_no_range_moves_while_a_run_goes_on(planned: int) -> None:
    records, batches = usual(planned)
    found = set()
    for done in range(planned * PER_EPOCH + 1):
        ended = records[: done // PER_EPOCH]
        loss = curves.loss_curves(ended, batches[:done], planned, PER_EPOCH)
        accuracy = curves.accuracy_curves(ended, planned, 0.994, batches=batches[:done], per_epoch=PER_EPOCH)
        found.add(
            json.dumps([figure["layout"][axis]["range"] for figure in (loss, accuracy) for axis in ("xaxis", "yaxis")])
        )
    (one,) = found
    (left, right), *_ = json.loads(one)
    assert left <= 0 < planned < right <= 1.1 * planned


def test_the_first_epoch_shows_the_running_training_accuracy() -> None:
    batches = [BatchRow(n, 0, 1.0, accuracy, 0.1, 1e3) for n, accuracy in enumerate((0.1, 0.3, 0.8))]
    (line,) = read(curves.accuracy_curves([], 3, 0.994, batches=batches, per_epoch=PER_EPOCH)).data
    assert list(line.customdata) == pytest.approx([10, 20, 40]), "the mean of the epoch so far"
    assert list(line.y) == pytest.approx([accuracy_at(each) for each in (10, 20, 40)], abs=1e-3)
    assert list(line.x) == [0.25, 0.5, 0.75]
    assert line.showlegend


def test_each_epochs_running_accuracy_begins_anew() -> None:
    records, _ = usual(1)
    batches = [BatchRow(n, n // 2, 1.0, accuracy, 0.1, 1e3) for n, accuracy in enumerate((0.2, 0.4, 0.9, 0.7))]
    line, *_ = read(curves.accuracy_curves(records, 3, 0.994, batches=batches, per_epoch=2)).data
    assert [each if each is None else pytest.approx(each) for each in line.customdata] == [20, 30, None, 90, 80]


def test_one_click_zooms_from_98_to_100_and_another_goes_back() -> None:
    records, _ = usual(3)
    figure = read(curves.accuracy_curves(records, 3, 0.994))
    whole, close = figure.layout.updatemenus[0].buttons
    assert (whole.label, close.label) == ("All", "98–100%")
    assert list(whole.args[0]["yaxis.range"]) == list(figure.layout.yaxis.range)
    low, high = close.args[0]["yaxis.range"]
    assert low == pytest.approx(accuracy_at(98), abs=0.05)
    assert accuracy_at(100) <= high
    figure.update_layout({key.replace(".", "_"): value for key, value in close.args[0].items()})
    assert_ticks_tell_their_places(figure.layout.yaxis, accuracy_at)


# ------------------------------------------------------------------------------------------------------ of several runs


@SOME
@given(st.data())
def test_the_comparisons_charts_show_every_value(data: st.DataObject) -> None:
    several = data.draw(st.lists(st.lists(histories(most=20), min_size=1, max_size=3), min_size=1, max_size=3))
    weight = data.draw(st.sampled_from([0.0, 0.6]))
    planned = max(len(history) for runs in several for history in runs)
    for name, quantity in QUANTITIES.items():
        lines = [compare_figures.line("ABC"[n], "x", LOOK, runs, quantity) for n, runs in enumerate(several)]
        if not any(value is not None for line in lines for value in line.mean):
            continue
        figure = compare_figures.curves(lines, quantity, weight, planned)
        assert_all_within(figure)
        if quantity.accuracy or quantity.log:
            assert_ticks_tell_their_places(figure.layout.yaxis, accuracy_at if quantity.accuracy else as_it_is)
        assert list(figure.layout.yaxis.range) == list(WHOLE.range) or not quantity.accuracy, name


@SOME
@given(st.lists(histories(least=3, most=3), min_size=1, max_size=5), st.lists(accuracies, max_size=20))
def test_a_steps_result_shows_every_value(runs: list[list[EpochRecord]], claimed: list[float]) -> None:
    study = [SeedRun(seed, tuple(history), "cpu", "2", "") for seed, history in enumerate(runs)]
    figure = read(curves.study_curves(study, claimed))
    assert_all_within(figure)
    assert_ticks_tell_their_places(figure.layout.yaxis, accuracy_at)


@pytest.mark.parametrize("epochs", [1, 2, 3, 15])
def test_a_short_study_is_seen_too(epochs: int) -> None:
    records, _ = usual(epochs)
    study = [SeedRun(seed, tuple(records), "cpu", "2", "") for seed in (1, 2)]
    mean = next(trace for trace in curves.study_curves(study).data if trace.name == "mean of 2 seeds")
    assert "markers" in mean.mode, "a line of one point is nothing"
    line = compare_figures.line("A", "x", LOOK, [records, records], QUANTITIES["test accuracy"])
    for trace in compare_figures.curves([line], QUANTITIES["test accuracy"], 0.0, epochs).data:
        assert "markers" in trace.mode or len(trace.x) > 1, "or its bar from the least seed to the best"


@SOME
@given(st.data())
def test_the_reports_charts_show_every_value(data: st.DataObject) -> None:
    several = data.draw(st.lists(st.lists(histories(most=20), min_size=1, max_size=3), min_size=1, max_size=3))
    for name in ("test accuracy", "train accuracy", "test loss"):
        quantity = QUANTITIES[name]
        lines = [compare_figures.line("ABC"[n], "x", LOOK, runs, quantity) for n, runs in enumerate(several)]
        svg = ElementTree.fromstring(report_figures.chart(lines, quantity, "alt"))
        dots = [each for each in svg.iter() if each.tag.endswith("circle")]
        assert len(dots) == sum(value is not None for line in lines for value in line.mean)
        points = [(float(dot.get("cx", "")), float(dot.get("cy", ""))) for dot in dots]
        for outline in (each.get("points", "") for each in svg.iter() if each.tag.endswith("polygon")):
            points += [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", outline)]
        frame = report_figures.FRAME
        assert all(frame.left <= x <= frame.right and frame.top <= y <= frame.bottom for x, y in points)


@pytest.mark.parametrize(("accuracy", "there"), [(0.97, False), (0.985, True), (1.0, True)])
def test_the_report_has_a_zoom_where_there_is_something_to_see(accuracy: float, there: bool) -> None:
    records = [EpochRecord(0, 1.0, accuracy, None, None, 1.0, accuracy, 0.01, 1.0)]
    quantity = QUANTITIES["test accuracy"]
    line = compare_figures.line("A", "x", LOOK, [records], quantity)
    assert bool(report_figures.chart([line], quantity, "alt", close=True)) == there


@given(st.lists(st.tuples(accuracies, accuracies), min_size=1, max_size=20))
def test_a_lessons_chart_of_both_accuracies_shows_every_value(epochs: list[tuple[float, float]]) -> None:
    train, test = zip(*epochs, strict=True)
    figure = lesson_figures.train_and_test(train, test, min(*train, *test))
    assert_all_within(figure)


# ------------------------------------------------------------------------------------------------------ the range test


@given(st.lists(losses, min_size=1, max_size=30), st.lists(st.floats(0.01, 9), min_size=1, max_size=30))
def test_the_range_tests_chart_shows_every_batch(batches: list[float], smoothed: list[float]) -> None:
    count = min(len(batches), len(smoothed))
    rates = [1e-4 * 1.2**n for n in range(count)]
    figure = rate_figures.range_curve(rates, smoothed[:count], batches[:count], (), RangeTest(1e-4, 10))
    top = figure.layout.yaxis.range[1]
    assert figure.layout.yaxis.range[0] == 0
    assert max(*batches[:count], *smoothed[:count]) <= top
    if figure.layout.updatemenus:
        _, close = figure.layout.updatemenus[0].buttons
        assert max(smoothed[:count]) <= close.args[0]["yaxis.range"][1] < top


# ---------------------------------------------------------------------------------------------------------- the ladder


@pytest.mark.parametrize("measured", [{}, studies.measured_studies()], ids=["as claimed", "as measured"])
@pytest.mark.parametrize("lineage", ["", *"abcd"])
def test_every_mark_of_the_ladder_has_its_true_place(measured: dict[str, Summary], lineage: str) -> None:
    steps = [step for step in catalogue.LADDER if lineage in ("", step.lineage)]
    points = {point.slug: point for point in ladder_points(steps, measured)}
    if not any(point.claimed or point.measured for point in points.values()):
        return
    figure = ladder_figure.ladder(list(points.values()), ink="#000")
    assert_all_within(figure)
    assert_ticks_tell_their_places(figure.layout.yaxis, accuracy_at)
    seen: dict[str, set[str]] = {"claimed": set(), "ours": set()}
    for trace in figure.data:
        if trace.legendgroup not in seen:
            continue
        for x, y, told in zip(trace.x, trace.y, trace.customdata, strict=True):
            point = points[told[0]]
            seen[trace.legendgroup].add(point.slug)
            assert x == point.parameters
            value = point.claimed if trace.legendgroup == "claimed" else point.measured and point.measured.mean
            assert value is not None
            assert y == pytest.approx(accuracy_at(100 * value))
    assert seen["claimed"] == {slug for slug, point in points.items() if point.claimed is not None}
    assert seen["ours"] == {slug for slug, point in points.items() if point.measured}


def name_boxes(figure: go.Figure, width: float, height: float, names: set[str]) -> dict[str, Box]:
    """Where the names stand on a plot of that size, each letter 0.6 of its height wide."""
    found: dict[str, Box] = {}
    for note in figure.layout.annotations:
        if note.text not in names:
            continue
        x_axis = figure.layout[note.xref.replace("x", "xaxis")]
        (left, right), (start, end), (low, high) = x_axis.range, x_axis.domain, sorted(figure.layout.yaxis.range)
        x = width * (start + (end - start) * (note.x - left) / (right - left)) + (note.ax or note.xshift or 0)
        y = height * (note.y - low) / (high - low) + (-note.ay if note.ay is not None else note.yshift or 0)
        half = 0.3 * note.font.size * len(note.text)
        found[note.text] = (x - half, x + half, y - note.font.size / 2, y + note.font.size / 2)
    return found


@pytest.mark.parametrize("height", [440, 520], ids=["in a lesson", "on its page"])
@pytest.mark.parametrize("measured", [{}, studies.measured_studies()], ids=["as claimed", "as measured"])
def test_no_name_on_the_ladder_covers_another(measured: dict[str, Summary], height: int) -> None:
    points = [each for each in ladder_points(catalogue.LADDER, measured) if each.claimed or each.measured]
    figure = ladder_figure.ladder(points, "#000", height)
    for width, rest in ladder_figure.LADDER_SCREENS:
        boxes = name_boxes(figure, width, height - rest, {each.label for each in points})
        assert len(boxes) == len(points)
        assert not any(shared(one, other) for one, other in itertools.combinations(boxes.values(), 2))


# ----------------------------------------------------------------------------------------------------------- the board


def standing(parameters: int, held: float, sd: float | None = None, who: str = "Mia") -> Standing:
    figures_of = Summary(3 if sd else 1, 15, held, sd, held, 1 if held >= 0.994 else 0, held, sd)
    return Standing(f"{parameters}-{held}", "run", "net", who, (), "MNIST", parameters, 15, figures_of, 0.0)


@SOME
@given(
    st.lists(
        st.tuples(st.integers(1, 20_000_000), accuracies, st.none() | st.floats(0, 0.3)),
        max_size=12,
        unique_by=lambda each: each[:2],
    )
)
def test_every_run_on_the_board_has_its_true_place(some: list[tuple[int, float, float | None]]) -> None:
    ranked = tuple(standing(*each, who=f"p{number}") for number, each in enumerate(some))
    figure = board_figures.board(ranked, ladder_standings(), "#000")
    assert_all_within(figure)
    assert_ticks_tell_their_places(figure.layout.yaxis, accuracy_at)
    drawn = [
        (x, y)
        for trace in figure.data
        if trace.name in ("meets it", "misses it")
        for x, y in zip(trace.x, trace.y, strict=True)
    ]
    assert sorted(drawn) == sorted((each.parameters, accuracy_at(100 * each.figures.held)) for each in ranked)
    corners = {(each.parameters, round(accuracy_at(100 * each.figures.held), 9)) for each in front(ranked)}
    fronts = {trace.xaxis: trace for trace in figure.data if trace.name == "Pareto front"}
    stairs = [
        [(x, round(y, 9)) for x, y in zip(fronts[axis].x, fronts[axis].y, strict=True)] if axis in fronts else []
        for axis in ("x", "x2")
    ]
    # What the last holds goes on to the edge of its panel, and into the second from its left.
    assert {*stairs[0][:-1], *stairs[1][1 if stairs[0] else 0 : -1]} == corners


def test_names_on_the_board_cover_no_other_in_either_view() -> None:
    ranked = tuple(standing(400 + 250 * n, 0.9942 + n / 1e5, who=f"nickname {n}") for n in range(30))
    figure = board_figures.board(ranked, ladder_standings(), "#000")
    names = {each.owner for each in ranked} | {each.name for each in ladder_standings()}
    narrow = figure.layout.meta["narrow"]["views"]
    for button, others in zip(figure.layout.updatemenus[0].buttons, narrow, strict=True):
        changes = {key.replace(".", "_"): value for key, value in button.args[0].items()}
        for screens, notes in ((board_figures.WIDE, {}), (board_figures.NARROW, others)):
            shown = go.Figure(figure).update_layout(changes | notes, overwrite=True)
            for width, rest in screens:
                boxes = name_boxes(shown, width, 440 - rest, names)
                assert len(boxes) >= 8
                assert not any(shared(one, other) for one, other in itertools.combinations(boxes.values(), 2))


# -------------------------------------------------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


NAMES = """() => [...document.querySelectorAll(".annotation-text")]
    .filter((word) => /^[A-D]\\d+$/.test(word.textContent))
    .map((word) => { const b = word.getBoundingClientRect(); return [b.left, b.right, b.top, b.bottom]; })"""


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_ladders_names_do_not_touch_on_a_screen(
    server: Server, browser_path: Path, width: int, height: int, dark: bool
) -> None:
    with browsing(browser_path, width, height, dark) as page:
        page.goto(f"{server.address}/ladder")
        settled(page)
        page.wait_for_selector(".annotation-text")
        charts_drawn(page)
        shown = [step for step in catalogue.LADDER if step.claim or studies.study_of(step.slug)]
        wait_until(page, f"expected => ({NAMES})().length === expected", len(shown))
        boxes: Sequence[Box] = [tuple(box) for box in page.evaluate(NAMES)]
    assert len(boxes) == len(shown)
    assert all(left >= 0 and right <= width for left, right, _, _ in boxes)
    # A word's box is a line high, some pixels more than its letters.
    inner = [(left + 1, right - 1, top + 2, bottom - 2) for left, right, top, bottom in boxes]
    assert not [pair for pair in itertools.combinations(inner, 2) if shared(*pair)]


@pytest.mark.slow
def test_a_views_button_outlives_an_update_and_can_be_reached_by_the_keyboard(
    server: Server, browser_path: Path
) -> None:
    with browsing(browser_path) as page:
        page.goto(f"{server.address}/step?step=c6-steplr-7416&view=Result")
        settled(page)
        button = page.get_by_role("button", name="98–100%")
        button.wait_for()
        button.focus()
        page.keyboard.press("Enter")
        shown = "document.querySelector('.live-plot')._fullLayout.yaxis.range"
        assert page.evaluate(shown) == pytest.approx(list(CLOSE.range))
        assert button.get_attribute("aria-pressed") == "true"
        page.evaluate("document.querySelector('.live-plot').draw()")  # as an update of a run does
        assert page.evaluate(shown) == pytest.approx(list(CLOSE.range))
        page.get_by_role("button", name="All", exact=True).click()
        assert page.evaluate(shown) == pytest.approx(list(WHOLE.range))
