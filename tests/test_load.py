"""The load script at a small size: its visitors are like browsers, and the app serves them without a fault."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.asyncio.client import ClientConnection

from core.data.mnist import EMBEDDED
from lab.runs.store import RunStore
from tests import load
from tests.app_server import Server, browsing, serving, settled
from tests.patience import wait
from tests.streamlit_client import Tab, options_of

pytestmark = pytest.mark.slow
Asked = dict[str, object]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the visitors send from here on."""
    messages: list[bytes] = []
    send = ClientConnection.send

    def noting(connection: ClientConnection, data: bytes) -> Awaitable[None]:
        messages.append(data)
        return send(connection, data)

    monkeypatch.setattr(ClientConnection, "send", noting)
    return messages


def asked(messages: list[bytes]) -> list[Asked]:
    """What was asked for, but for the timers' requests, whose number is chance, and the seeds, which are drawn."""
    requests = [BackMsg.FromString(each).rerun_script for each in messages]
    return [
        {
            "query": each.query_string,
            "page": each.page_script_hash or each.page_name,
            "fragment": each.fragment_id,
            "kept": sorted(each.cached_message_hashes),
            "widgets": {
                state.id: b"" if "-seeds-" in state.id else state.SerializeToString()
                for state in each.widget_states.widgets
            },
        }
        for each in requests
        if not each.is_auto_rerun
    ]


def run_at(server: Server, row: Callable[[load.Options], Awaitable[load.Row]], seconds: float = 5.0) -> load.Row:
    async def measured() -> load.Row:
        return await row(load.Options(sessions=3, seconds=seconds, url=server.address))

    return asyncio.run(measured())


@pytest.mark.own_data
def test_a_visitor_sends_to_the_byte_what_a_browser_sends(
    server: Server, browser_path: Path, sent: list[bytes]
) -> None:
    in_the_browser: list[bytes] = []
    with browsing(browser_path) as page:
        page.on("websocket", lambda socket: socket.on("framesent", lambda data: in_the_browser.append(data)))
        page.goto(f"{server.address}/step?step=b3-gap-8008")
        settled(page)
        page.get_by_role("radio", name="Receptive field").click()
        page.wait_for_url("**view=Receptive*")
        settled(page)
        page.get_by_role("link", name="Train this network").press("Enter")  # a click may miss it while the page grows
        page.get_by_role("button", name="Start training").wait_for()
        settled(page)
        page.get_by_label("Epochs", exact=True).fill("3")
        page.keyboard.press("Enter")
        # A call lets in what the browser has told meanwhile.
        wait(lambda: page.evaluate("1") and len(asked(in_the_browser)) == 4, "the page had asked for four things")
        settled(page)

    async def visit() -> None:
        async with Tab(server.address) as tab:
            await tab.open("/step?step=b3-gap-8008")
            await tab.choose("View", "Receptive field")
            await tab.follow("Train this network")
            await tab.choose("Epochs", 3)

    asyncio.run(visit())
    assert asked(sent) == asked(in_the_browser)
    assert len(asked(sent)) == 4


@pytest.mark.own_data
def test_every_live_panel_moves_on(server: Server) -> None:
    row = run_at(server, load.panels)
    assert row.sound, row.measured


def test_no_click_through_the_learn_pages_ends_in_an_error(server: Server) -> None:
    row = run_at(server, load.pages, seconds=7.0)
    assert row.sound, row.measured


@pytest.mark.own_data
def test_each_press_of_start_is_one_run_of_ones_own(server: Server) -> None:
    row = run_at(server, load.start)
    assert row.sound, row.measured
    store = RunStore(server.home)
    runs = [run for run in store.runs() if run.owner.startswith("visitor-")]
    store.close()
    assert Counter(run.owner for run in runs) == {f"visitor-{number}": 1 for number in range(3)}
    assert {run.dataset for run in runs} == {EMBEDDED}


@pytest.mark.own_data
def test_all_come_back_after_a_restart_and_the_run_has_gone_on() -> None:
    row = asyncio.run(load.restart(load.Options(sessions=3, epochs=40)))
    assert row.sound, row.measured


@pytest.mark.own_data
def test_visitors_come_look_and_go() -> None:
    row = asyncio.run(load.memory(load.Options(sessions=3, views=20)))
    assert row.sound, row.measured


def test_an_error_on_a_page_is_noted_and_so_is_an_option_that_is_not_there(server: Server) -> None:
    async def visit() -> tuple[list[str], list[str]]:
        async with Tab(server.address) as tab:
            await tab.open("/walkthroughs?lesson=none-such")
            failures = list(tab.failures)
            await tab.go("step")
            with pytest.raises(Exception, match="has no option 'Z9'"):
                await tab.choose("Step", "Z9")
            return failures, options_of(tab.widget("View"))

    failures, views = asyncio.run(visit())
    assert len(failures) == 1
    assert "none-such" in failures[0]
    assert views == ["Layers", "Receptive field", "Result", "Code"]
