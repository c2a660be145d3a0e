"""The class: the queue as everybody sees it, what only the teacher can do, and following the teacher."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from streamlit.testing.v1 import AppTest

from core.architecture.json_form import architecture_to_json
from core.data.mnist import EMBEDDED, best_present
from core.errors import ClassError, RunError
from core.ladder import catalogue
from core.training.recipe import recipe_to_json
from lab.classroom import actions as class_acts
from lab.classroom.class_lock import fits, hash_of
from lab.cli.parser import main
from lab.runs import supervisor
from lab.runs.person import Person
from lab.runs.rows import BatchRow, NewRun, Run
from lab.runs.store import RunStore
from lab.runs.turn_words import lost_in_words
from lab.settings import lab_home, settings
from lab.ui import follow
from lab.ui.caches import class_lock, expectations, speeds, the_queue
from lab.ui.owner import SESSION
from tests.app_server import CHROMIUM_ARGUMENTS, Server, screenshot, serving, settled
from tests.made_runs import history, made_run
from tests.patience import milliseconds
from tests.test_learn_pages import metric, opened, said

PASSPHRASE = "correct horse battery"
QUEUE, STEP, TRAIN = "pages/experiment/queue.py", "pages/learn/step.py", "pages/experiment/train.py"
ANNA, BEN, TEACHER = Person("anna", "Anna"), Person("ben", "Ben"), Person("bell", "Ms Bell", teacher=True)
C6 = catalogue.by_slug("c6-steplr-7416")


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that wait here go on waiting."""
    monkeypatch.setattr(supervisor, "_start", lambda *_: pytest.fail("a worker was to be started"))
    monkeypatch.setattr(supervisor, "ensure_worker", lambda *_, **__: None)


@pytest.fixture(autouse=True)
def _passphrase(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LAB_CLASS_PASSPHRASE", hash_of(PASSPHRASE))
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def store() -> Iterator[RunStore]:
    found = RunStore(lab_home())
    yield found
    found.close()


def queued(store: RunStore, by: Person, epochs: int = 15, dataset: str = "MNIST") -> Run:
    return store.submit(
        NewRun(
            kind="train",
            name="C6",
            architecture_json=architecture_to_json(C6.architecture),
            recipe_json=recipe_to_json(replace(C6.recipe, epochs=epochs)),
            dataset=dataset,
            device="cpu",
            parameters=7416,
            seed=1,
            epochs=epochs,
            slug=C6.slug,
            owner=by.nickname,
            owner_key=by.key,
        )
    )[0]


def under_way(store: RunStore, by: Person, done: int = 0) -> Run:
    """One that a worker has taken from the queue, with so many iterations done."""
    queued(store, by)
    run = store.claim(["cpu"], "w", "cpu", a_person=9)
    assert run is not None
    if done:
        store.add_batches(run.id, "w", [BatchRow(done - 1, (done - 1) // 469, 0.1, 0.97, 0.01, 4690.0)])
    return run


def pressed(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def later(app: AppTest) -> AppTest:
    """The page a second later, when what is kept for a second has been forgotten."""
    for kept in (expectations, the_queue, speeds):
        kept.clear()
    return app.run()


def key_of(app: AppTest) -> str:
    """The browser's key, of a session without a cookie."""
    return hashlib.sha256(app.session_state[SESSION].encode()).hexdigest()


def unlocked(page: str = QUEUE) -> AppTest:
    app = opened(page)
    app.text_input(key="passphrase").set_value(PASSPHRASE)
    return pressed(app, "Unlock")


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


# ------------------------------------------------------------------------------------------------ what the teacher does


def test_only_the_teacher_moves_runs_holds_the_queue_and_lifts_the_bounds(store: RunStore) -> None:
    run = queued(store, ANNA)
    for act in (
        lambda: class_acts.put_first(store, run.id, ANNA),
        lambda: class_acts.put_last(store, run.id, ANNA),
        lambda: class_acts.stop_all(store, ANNA),
        lambda: class_acts.hold_queue(store, True, ANNA),
        lambda: class_acts.lift_bounds(store, True, ANNA),
    ):
        with pytest.raises(ClassError, match="only the teacher can"):
            act()
    assert store.get(run.id) == run
    assert not store.class_setting("queue_paused")
    assert not store.class_setting("bounds_lifted")


def test_the_first_starts_first_and_the_held_queue_starts_none(store: RunStore) -> None:
    first, second = queued(store, ANNA), queued(store, BEN)
    class_acts.put_first(store, second.id, TEACHER)
    class_acts.hold_queue(store, True, TEACHER)
    assert store.claim(["cpu"], "w") is None
    class_acts.hold_queue(store, False, TEACHER)
    claimed = [store.claim(["cpu"], "w"), store.claim(["cpu"], "w")]
    assert [run.id for run in claimed if run] == [second.id, first.id]
    with pytest.raises(RunError, match="waits no more: it is running"):
        class_acts.put_first(store, first.id, TEACHER)


def test_stop_all_stops_what_waits_and_asks_what_is_under_way(store: RunStore) -> None:
    running, waiting = under_way(store, ANNA), queued(store, BEN)
    assert class_acts.stop_all(store, TEACHER) == 2
    assert store.get(running.id).stop_requested
    assert store.get(waiting.id).status == "stopped"


# ------------------------------------------------------------------------------------------------------------ the queue


def test_a_run_that_lost_its_worker_says_where_it_goes_on(store: RunStore) -> None:
    run = under_way(store, ANNA)
    for record in history(0.9, 0.95):
        store.add_epoch(run.id, "w", record)
    store.put_back(run.id, "w", "killed", lost=True)
    words = lost_in_words(store.get(run.id), 2)
    assert words == "Its worker was lost, its 2 epochs not: it goes on from epoch 3 in a moment."
    app = opened(TRAIN, run=run.id)
    assert not app.exception
    assert words in said(app)


def test_an_empty_queue_says_that_the_lab_is_free_and_what_finished_last(store: RunStore) -> None:
    app = opened(QUEUE)
    assert "No run has finished here yet" in said(app)
    made_run(store, [0.99, 0.9934], name="Ada's <b>own</b>", owner="Ada")
    later(app)
    assert not app.exception
    assert "Nobody waits" in said(app)
    finished = next(table.value for table in app.table if "who" in table.value)
    assert list(finished.iloc[0])[:2] == ["Ada", r"Ada's \<b\>own\</b\>"]
    assert "99.34%" in list(finished.iloc[0])


def test_everybody_sees_the_line_and_only_their_own_stop(store: RunStore) -> None:
    student = opened(QUEUE)
    me = Person(key_of(student), "Me")
    running, mine, other = under_way(store, BEN), queued(store, me), queued(store, ANNA)
    later(student)
    assert not student.exception
    line = next(table.value for table in student.table if "starts" in table.value)
    assert [who.split(" :")[0] for who in line["who"]] == ["Me", "Anna"]
    assert ":blue-badge[yours]" in line["who"][0]
    assert metric(student, "Yours") == "next"
    stops = [str(button.key) for button in student.button if button.label == "Stop"]
    assert stops == [f"stop-{mine.id}"]
    pressed(student, "Stop")
    assert store.get(mine.id).status == "stopped"
    assert store.get(other.id).status == "queued"
    assert store.get(running.id).status == "running"


def test_the_queue_tells_the_bounds_as_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_MOST_EPOCHS", "42")
    monkeypatch.setenv("LAB_RUNS_A_PERSON", "2")
    settings.cache_clear()
    app = opened(QUEUE)
    bounds = app.table[0].value
    assert bounds.loc["epochs", "at most"] == "42"
    assert bounds.loc["iterations", "at most"] == "200,000"
    assert "**2 runs a person**" in said(app)


def test_without_a_passphrase_the_page_says_how_to_set_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_CLASS_PASSPHRASE")
    settings.cache_clear()
    app = opened(QUEUE)
    assert not app.exception
    assert app.code[0].value == "python -m lab passphrase"
    assert "Unlock" not in labels(app)


# ----------------------------------------------------------------------------------------------- the teacher's own page


def test_a_wrong_passphrase_is_one_sentence_and_the_right_one_gives_every_button(store: RunStore) -> None:
    run = queued(store, ANNA)
    app = opened(QUEUE)
    app.text_input(key="passphrase").set_value("wrong passphrase")
    pressed(app, "Unlock")
    assert "that is not the passphrase" in said(app)
    assert "First" not in labels(app)
    app.text_input(key="passphrase").set_value(PASSPHRASE)
    pressed(app, "Unlock")
    assert not app.error
    assert "1 wrong passphrase within the last 5 minutes" in said(app)
    assert {"First", "Last", "Stop", "Stop all", "Leave"} <= set(labels(app))
    assert "passphrase" not in app.session_state
    pressed(app, "Stop")
    assert store.get(run.id).status == "stopped"
    pressed(app, "Leave")
    assert "Stop all" not in labels(app)


def test_the_teacher_reorders_holds_and_lifts_and_everybody_is_told(store: RunStore) -> None:
    first, second = queued(store, ANNA), queued(store, BEN)
    teacher, student = unlocked(), opened(QUEUE)
    next(button for button in teacher.button if button.key == f"first-{second.id}").click().run()
    line = next(table.value for table in student.run().table if "starts" in table.value)
    assert [who.split(" :")[0] for who in line["who"]] == ["Ben", "Anna"]
    teacher.toggle(key="class_queue_paused").set_value(True).run()
    teacher.toggle(key="class_bounds_lifted").set_value(True).run()
    assert store.claim(["cpu"], "w") is None
    assert store.get(first.id).status == "queued"
    words = said(student.run())
    assert "The teacher holds the queue." in words
    assert "The teacher has lifted the bounds" in words
    assert "the teacher has lifted them" in said(opened(TRAIN))


def test_a_student_who_forges_the_teachers_click_is_refused(store: RunStore) -> None:
    """A session that was the teacher's and is no more still shows the buttons until it is drawn anew."""
    run = queued(store, ANNA)
    app = unlocked()
    class_lock().lock(key_of(app))
    pressed(app, "Stop")
    assert store.get(run.id).status == "queued"
    assert "only its owner, in the same browser, or the teacher can change it" in said(app)


# ------------------------------------------------------------------------------------------------ before a run is begun


def test_the_bounds_are_told_before_start() -> None:
    app = opened(TRAIN, step=C6.slug)
    iterations = {"MNIST": "7,035", EMBEDDED: "180"}[best_present()]  # 15 times 60,000 / 128, or 1,437 / 128, upwards
    assert f"{iterations} iterations · expected time not known yet" in said(app)
    assert any("15 epochs of at most 100" in each.help and "at most 180 min" in each.help for each in app.caption)


def test_a_run_beyond_its_bounds_is_told_with_both_numbers_and_cannot_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_MOST_PARAMETERS", "7000")
    settings.cache_clear()
    app = opened(TRAIN, step=C6.slug)
    assert any("**7,416 parameters**" in each.value and "**7,000**" in each.value for each in app.warning)
    buttons = {button.label: button for button in app.button}
    assert buttons["Start training"].disabled
    assert buttons["Range test"].disabled


def test_the_expected_time_is_told_once_a_run_has_been_measured(store: RunStore) -> None:
    recipe = replace(C6.recipe, epochs=3)  # of 2 s each
    made_run(store, [0.99] * 3, architecture=C6.architecture, recipe=recipe, dataset=best_present())
    assert "expected 30 s" in said(opened(TRAIN, step=C6.slug))


# ------------------------------------------------------------------------------------------------ following the teacher


def test_a_student_follows_the_teacher_until_letting_go() -> None:
    teacher, student = unlocked(), opened(STEP)
    assert "Follow the teacher" not in " ".join(labels(student.run()))
    teacher.toggle(key="lead_class").set_value(True).run()
    student.run()
    pressed(student, ":primary[Follow the teacher]")
    assert student.title[0].value == "A step of the ladder", "the teacher has opened no page yet"
    teacher.switch_page("pages/learn/walkthroughs.py")
    teacher.query_params.update({"lesson": "dilation", "scene": "2", "me": "Ms Bell"})
    teacher.run()
    student.run()
    assert not student.exception
    assert dict(student.query_params) == {"lesson": "dilation", "scene": "2"}
    student.switch_page("pages/learn/walkthroughs.py")  # a browser knows where it has been taken; AppTest does not
    pressed(teacher, "Next")
    assert student.run().query_params["scene"] == "3"
    pressed(student, ":primary[Stop following]")
    pressed(teacher, "Next")
    assert student.run().query_params["scene"] == "3"
    assert ":primary[Follow the teacher]" in labels(student)


def test_what_streamlit_keeps_in_the_url_goes_along(store: RunStore) -> None:
    teacher, student = unlocked(), opened("pages/learn/field.py")
    teacher.toggle(key="lead_class").set_value(True).run()
    pressed(student.run(), ":primary[Follow the teacher]")
    teacher.switch_page(STEP)
    teacher.query_params["step"] = C6.slug
    teacher.run()
    teacher.segmented_control(key="view").set_value("Code").run()
    student.run()
    assert not student.exception
    assert student.session_state["view"] == "Code"
    assert student.query_params["step"] == C6.slug


def test_whoever_goes_to_another_page_lets_go_and_is_offered_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "LOST_SECONDS", 0.0)
    teacher, student = unlocked(), opened("pages/learn/ladder.py")
    teacher.toggle(key="lead_class").set_value(True).run()
    teacher.switch_page(STEP).run()
    pressed(student.run(), ":primary[Follow the teacher]")
    assert student.title[0].value == "A step of the ladder"
    student.switch_page(STEP).run()
    assert "Following the teacher" in said(student)
    student.switch_page("pages/learn/ladder.py").run()
    assert student.title[0].value == "The ladder"
    assert ":primary[Follow the teacher]" in labels(student)


def test_a_move_that_was_lost_on_its_way_is_made_again() -> None:
    """As when a tick of the page that is left comes in between: the next run is of that page again."""
    teacher, student = unlocked(), opened("pages/learn/ladder.py")
    teacher.toggle(key="lead_class").set_value(True).run()
    teacher.switch_page(STEP).run()
    pressed(student.run(), ":primary[Follow the teacher]")
    assert student.title[0].value == "A step of the ladder"
    student.switch_page("pages/learn/ladder.py").run()
    assert student.title[0].value == "A step of the ladder"
    assert "Following the teacher" in said(student)


def test_the_link_joins_at_once_and_before_anybody_leads() -> None:
    student = opened("pages/learn/walkthroughs.py", follow="1")
    assert "nobody is leading at the moment" in said(student)
    assert "follow" not in student.query_params
    teacher = unlocked()
    assert not teacher.code
    teacher.toggle(key="lead_class").set_value(True).run()
    assert teacher.code[0].value.endswith("/?follow=1")
    teacher.switch_page(STEP).run()
    assert student.run().title[0].value == "A step of the ladder"


LESSON = "pages/learn/walkthroughs.py"


def test_the_class_answers_together_and_sees_the_answers_when_the_teacher_shows_them(store: RunStore) -> None:
    teacher = unlocked()
    teacher.toggle(key="lead_class").set_value(True).run()
    teacher.switch_page(LESSON)
    teacher.query_params.update({"lesson": "dilation", "scene": "2"})
    teacher.run()
    students = [opened(LESSON, follow="1", me=name) for name in ("Anna", "Ben")]
    anna, ben = [each.switch_page(LESSON) and each.run() for each in students]
    assert "The class answers this together" in said(anna)
    anna.number_input[0].set_value(14.0)
    pressed(anna, "Commit to it")
    assert "You answered **14**" in said(anna)
    assert not anna.warning, "whether it is right is told with the answers of all"
    assert "**1 answered** · 1 of 2 who follow have not" in said(teacher.run())
    assert "Ben" in [each.value for each in teacher.markdown]
    assert "Reveal" not in labels(ben)
    anna.number_input[0].set_value(8.0)
    pressed(anna, "Commit to it")
    pressed(teacher, "Reveal")
    assert "**1 of 1** answered right" in said(teacher)
    assert anna.run().success[0].value.startswith("Right.")
    assert "**1 of 1** answered right" in said(ben.run())
    assert ben.number_input[0].disabled
    pressed(teacher, "Ask again")
    assert "The class answers this together" in said(ben.run())


def test_a_lesson_that_a_teachers_link_locks_stays_so_and_makes_no_links() -> None:
    app = opened(LESSON, lesson="dilation", scene="2", lock="order", hide="hints")
    assert not app.multiselect
    pressed(app, "All lessons")
    for name in ("lock", "hide"):
        app.query_params.pop(name, None)
    app.query_params.update({"lesson": "dilation", "scene": "2"})
    app.run()
    assert next(button for button in app.button if button.label == "Next").disabled
    assert not app.multiselect
    app.query_params["lesson"] = "skips"
    app.run()
    assert len(app.multiselect) == 2, "another lesson is not locked"


def test_the_projector_is_neither_led_nor_told() -> None:
    teacher = unlocked()
    teacher.toggle(key="lead_class").set_value(True).run()
    shown = opened("pages/learn/walkthroughs.py", lesson="dilation", scene="1", present="1")
    assert "The teacher leads" not in said(shown)


def test_without_a_teacher_there_is_nobody_to_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_CLASS_PASSPHRASE")
    settings.cache_clear()
    assert "Following" not in said(opened(STEP, follow="1"))


# ----------------------------------------------------------------------------------------------------- the command line


def test_the_command_makes_a_hash_and_never_shows_the_passphrase(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSPHRASE + "\n"))
    assert main(["passphrase", "--stdin"]) == 0
    shown = capsys.readouterr()
    assert fits(PASSPHRASE, shown.out.strip())
    assert f'class_passphrase = "{shown.out.strip()}"' in shown.err
    assert PASSPHRASE not in shown.out + shown.err
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert main(["passphrase", "--stdin"]) == 2
    assert "has 5 characters; 8 to 200" in capsys.readouterr().err
    assert main(["passphrase", "--make", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert fits(document["passphrase"], document["class_passphrase"])


# ---------------------------------------------------------------------------------------------------- in a real browser


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("LAB_DATA", "/nonexistent")
    with serving(tmp_path) as running:
        yield running


@pytest.fixture
def browser(browser_path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(browser_path), args=list(CHROMIUM_ARGUMENTS))
        yield found
        found.close()


def window(browser: Browser, address: str) -> Page:
    """A page of a browser of its own: with its own cookie, and so another person's."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.set_default_timeout(milliseconds(120))
    page.goto(address)
    settled(page)
    return page


@pytest.mark.slow
@pytest.mark.own_data
def test_a_teacher_leads_a_student_who_cannot_stop_their_run(server: Server, browser: Browser) -> None:
    teacher, student = window(browser, f"{server.address}/queue"), window(browser, f"{server.address}/ladder")
    teacher.get_by_text("I am the teacher").click()
    teacher.get_by_label("Passphrase").fill(PASSPHRASE)
    teacher.get_by_label("Passphrase").press("Enter")
    teacher.get_by_test_id("stMain").get_by_text("Lead the class").click()
    expect(teacher.get_by_text(f"{server.address}/?follow=1")).to_be_visible()

    student.get_by_role("button", name="Follow the teacher").click()  # it is offered within some seconds, by itself
    expect(student.get_by_text("Following the teacher")).to_be_visible()
    expect(teacher.get_by_text("1 follows")).to_be_visible()

    teacher.goto(f"{server.address}/step?step={C6.slug}")  # as a bookmark: a new session of the same browser
    settled(teacher)
    student.wait_for_url(f"**/step?step={C6.slug}")
    teacher.get_by_text("Code", exact=True).click()
    expect(student.get_by_text("Runs as it stands, with torch alone.")).to_be_visible()
    assert "view=Code" in student.url

    run = queued(RunStore(server.home), Person("somebody", "Ms Bell"), 400, EMBEDDED)
    teacher.goto(f"{server.address}/train?run={run.id}")
    student.wait_for_url(re.compile(rf"/train\?.*run={run.id}"))
    expect(student.get_by_text("Run by Ms Bell")).to_be_visible()
    expect(student.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    expect(teacher.get_by_role("button", name="Stop", exact=True)).to_be_visible()

    student.get_by_role("button", name="Stop following").click()
    expect(student.get_by_role("button", name="Follow the teacher")).to_be_visible()
    teacher.goto(f"{server.address}/walkthroughs?lesson=receptive-field&scene=2")
    expect(teacher.get_by_text("nobody follows yet")).to_be_visible()
    assert "/train" in student.url

    late = window(browser, f"{server.address}/?follow=1&me=Carl")
    late.wait_for_url("**/walkthroughs?*scene=2*")
    assert "me=Carl" in late.url
    settled(teacher)
    teacher.keyboard.press("ArrowRight")
    late.wait_for_url("**/walkthroughs?*scene=3*")
    teacher.get_by_role("button", name="Stop leading").click()
    expect(late.get_by_text("nobody is leading at the moment")).to_be_visible()
    screenshot(late, "following")
