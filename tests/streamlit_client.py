"""A browser's half of Streamlit's protocol, without the browser: cookies, the websocket, widgets and timers.

It does what the page that Streamlit 1.67 serves does, in the same order. A first GET fetches the page and its cookies;
the health and host-config endpoints are asked; the websocket is opened with the session's last id among its
subprotocols. Each message to the server carries the whole state of the widgets and the hashes of the messages that are
kept here, for the server then sends those as references. Fragments that tick do so by timers on this side, which do not
wait for answers. A lost connection is taken up again by itself. Only Streamlit's own script and style files are not
fetched: a browser has those in its cache.
"""

from __future__ import annotations

import asyncio
import random
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from google.protobuf.message import Message
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.AppPage_pb2 import AppPage
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg, ForwardMsgMetadata
from streamlit.proto.NewSession_pb2 import NewSession
from streamlit.proto.NumberInput_pb2 import NumberInput
from streamlit.proto.Slider_pb2 import Slider
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

PATIENCE = 300.0  # seconds for one answer: a busy machine is slow, a dead one is not waited for
PAUSE_BEFORE_RECONNECTING = (0.25, 0.5)  # seconds, at random between them
FIRST_RETRY, LONGEST_RETRY = 0.1, 4.0  # seconds between two looks whether the server is back; doubling
PLACEHOLDER_TOKEN = "PLACEHOLDER_AUTH_TOKEN"  # what the page sends where there is no XSRF cookie
KINDS_WITH_OPTIONS = ("selectbox", "radio", "multiselect", "button_group", "slider")

Finished = ForwardMsg.ScriptFinishedStatus
GOOD_ENDS = (Finished.FINISHED_SUCCESSFULLY, Finished.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


class ClientError(Exception):
    """What was to be clicked is not there, or the server did not answer."""


@dataclass(frozen=True)
class Element:
    """One element of a page, as the server sent it; a container is one too, of kind ""."""

    kind: str  # its name in Streamlit's Element, such as "button"
    message: Message
    fragment_id: str  # of the fragment that drew it, or ""
    script_hash: str  # of the page that drew it, or of the app's main script
    run: str  # the script run that drew it last

    @property
    def id(self) -> str:
        """The widget's id; "" of what is no widget."""
        return str(getattr(self.message, "id", ""))

    @property
    def key(self) -> str:
        """The key that the app gave it, which its id ends in; "" where it gave none."""
        key = self.id.split("-", 2)[-1] if self.id.startswith("$$") else ""
        return "" if key == "None" else key

    @property
    def label(self) -> str:
        """What stands on it or above it."""
        return str(getattr(self.message, "label", ""))


@dataclass(frozen=True)
class Answer:
    """How one request was answered."""

    fragment_id: str  # "" where it was the whole page
    sent: float  # time.perf_counter()
    seconds: float  # from sending it until the server said that the script had finished
    size: int  # bytes of the messages of that script run


@dataclass(frozen=True)
class Reconnection:
    """A connection that was lost and taken up again. Moments of time.perf_counter()."""

    lost: float
    connected: float
    same_session: bool  # whether the server still knew it
    answer: Answer  # to the request for the page that follows


@dataclass
class _Request:
    fragment_id: str
    sent: float
    answer: asyncio.Future[Answer]
    started: bool = False  # whether a script run that serves it has begun


@dataclass
class _Kept:
    """A message that the server may refer to by its hash, and in which run it was last used."""

    message: ForwardMsg
    age_from: int
    fragment_id: str


@dataclass
class _Timer:
    interval: float
    task: asyncio.Task[None]


def default_state(element: Element) -> WidgetState | None:
    """What the page takes a widget's value to be before anyone touches it; None where it sends nothing for it."""
    message: Any = element.message  # Any: a protobuf for each kind of widget, without a common type
    state = WidgetState(id=element.id)
    given = bool(getattr(message, "set_value", False))  # the app itself has put this value there
    if element.kind == "checkbox":
        state.bool_value = message.value if given else message.default
    elif element.kind in ("selectbox", "radio"):
        if given:
            value = message.raw_value if message.HasField("raw_value") else None
        else:
            value = message.options[message.default] if message.options and message.HasField("default") else None
        if value is not None:
            state.string_value = value
    elif element.kind in ("multiselect", "button_group"):
        labels = options_of(element)
        state.string_array_value.data[:] = message.raw_values if given else [labels[each] for each in message.default]
    elif element.kind == "slider":
        numbers = message.value if given and message.value else message.default
        if message.type == Slider.Type.SELECT_SLIDER:
            chosen = message.raw_value if given else [message.options[int(each)] for each in numbers]
            state.string_array_value.data[:] = chosen
        else:
            state.double_array_value.data[:] = numbers
    elif element.kind == "number_input":
        name = "value" if given else "default"
        if message.HasField(name):
            _set_number(state, message, getattr(message, name))
    elif element.kind in ("text_input", "text_area", "color_picker"):
        value = message.value if given else message.default
        if value or element.kind != "color_picker":
            state.string_value = value
    empty = ("selectbox", "multiselect", "button_group")  # for these it sends that nothing is chosen
    return state if state.WhichOneof("value") or element.kind in empty else None


def chosen_state(element: Element, value: object) -> WidgetState:
    """The state of a widget once `value` is chosen in it: an option's words, a number, a text, on or off."""
    message: Any = element.message
    state = WidgetState(id=element.id)
    if element.kind in KINDS_WITH_OPTIONS and (options := options_of(element)) and value not in options:
        raise ClientError(f"{element.label!r} has no option {value!r}; it has {', '.join(options)}")
    if element.kind == "checkbox":
        state.bool_value = bool(value)
    elif element.kind in ("selectbox", "radio", "text_input", "text_area", "color_picker"):
        state.string_value = str(value)
    elif element.kind in ("multiselect", "button_group") or (element.kind == "slider" and message.options):
        state.string_array_value.data[:] = [str(value)]
    elif element.kind == "slider":
        state.double_array_value.data[:] = [float(str(value))]
    elif element.kind == "number_input":
        _set_number(state, message, float(str(value)))
    else:
        raise ClientError(f"nothing can be chosen in a {element.kind}")
    return state


def options_of(element: Element) -> list[str]:
    """The words of a widget's options; of buttons in a row, an icon stands before them."""
    options = getattr(element.message, "options", ())
    if element.kind != "button_group":
        return list(options)
    return [" ".join(part for part in (each.content_icon, each.content) if part) for each in options]


def _set_number(state: WidgetState, message: NumberInput, value: float) -> None:
    if message.data_type == NumberInput.DataType.INT:
        state.int_value = int(value)
    else:
        state.double_value = value


class Tab:
    """One tab of a browser of its own. Use as `async with Tab(address) as tab`, then `await tab.open("/train")`."""

    def __init__(self, address: str) -> None:
        """`address`: the app's, such as http://localhost:8501."""
        self.address = address.rstrip("/")
        self.elements: dict[tuple[int, ...], Element] = {}  # by their place in the page
        self.pages: list[AppPage] = []
        self.query = ""
        self.session_id = ""
        self.updates: list[Answer] = []  # to the timers of its fragments
        self.reconnections: list[Reconnection] = []
        self.failures: list[str] = []  # every exception and error that the app has shown
        self.sent = self.received = 0  # bytes
        self._cookies = CookieJar()
        self._http = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._cookies)
        )
        self._states: dict[str, WidgetState] = {}
        self._kept: dict[str, _Kept] = {}
        self._runs = 0  # script runs so far, which is the clock of what is kept
        self._most_age = 2  # of what is kept, in runs; the server says it
        self._requests: list[_Request] = []
        self._timers: dict[str, _Timer] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._media: set[str] = set()
        self._script = self._main_script = self._run = ""
        self._run_size = 0
        self._path = "/"
        self._socket: ClientConnection | None = None
        self._closing = False

    async def __aenter__(self) -> Tab:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # ---------------------------------------------------------------------------------------- what a person does

    async def open(self, location: str) -> Answer:
        """Open a location of the app, such as /train?run=ID, and wait until its script has run."""
        parts = urlsplit(location)
        self._path, self.query = parts.path, parts.query
        await self._get(location)
        for endpoint in ("health", "host-config"):
            await self._get(f"/_stcore/{endpoint}")
        await self._connect()
        self._in_background(self._stay_connected())
        return await self._asked()

    async def close(self) -> None:
        """Close the tab, as one does: without a word to the app."""
        self._closing = True
        self._stop_timers()
        if self._socket:
            await self._socket.close()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def press(self, label: str) -> Answer:
        """Press the button with this label."""
        button = self.widget(label, "button")
        if getattr(button.message, "disabled", False):
            raise ClientError(f"the button {label!r} is disabled")
        pressed = WidgetState(id=button.id, trigger_value=True)  # said once: a tick meanwhile must not press again
        return await self._asked(button.fragment_id, states=[*self._states.values(), pressed])

    async def choose(self, label: str, value: object) -> Answer:
        """Choose an option, or enter a value, in the widget with this label."""
        widget = self.widget(label)
        state = chosen_state(widget, value)
        self._states[widget.id] = state
        if parameter := getattr(widget.message, "query_param_key", ""):
            self.query = urlencode({**dict(parse_qsl(self.query)), parameter: str(value)})
        return await self._asked(widget.fragment_id)

    async def go(self, url_path: str, query: str = "") -> Answer:
        """Go to a page of the menu, by its path in the URL."""
        for page in self.pages:
            if url_path in (page.url_pathname, "" if page.is_default else None):
                return await self._turned_to(page.page_script_hash, query, page.url_pathname)
        raise ClientError(f"there is no page {url_path!r}; there are {', '.join(p.url_pathname for p in self.pages)}")

    async def follow(self, label: str) -> Answer:
        """Follow the link to a page with this label."""
        link: Any = self.widget(label, "page_link").message
        return await self._turned_to(link.page_script_hash, link.query_string, link.page)

    # --------------------------------------------------------------------------------------- what a person sees

    @property
    def path(self) -> str:
        """The path in the URL: of the page that is shown."""
        shown = next((page for page in self.pages if page.page_script_hash == self._script), None)
        return self._path if shown is None else "/" if shown.is_default else f"/{shown.url_pathname}"

    @property
    def connected(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._socket is not None

    def parameter(self, name: str) -> str:
        """A parameter of the URL, or ""."""
        return dict(parse_qsl(self.query)).get(name, "")

    def cookie(self, name: str) -> str:
        """A cookie's value, or ""."""
        return next((each.value or "" for each in self._cookies if each.name == name), "")

    def of_kind(self, *kinds: str) -> list[Element]:
        """The elements of some kinds, in the page's order."""
        return [element for _, element in sorted(self.elements.items()) if element.kind in kinds]

    def widget(self, label: str, kind: str = "") -> Element:
        """The first element with this label, or this key."""
        found = [each for _, each in sorted(self.elements.items()) if each.kind and each.kind == (kind or each.kind)]
        for element in found:
            if label in (element.label, element.key):
                return element
        there = sorted({each.label or each.key for each in found if each.label or each.key})
        raise ClientError(f"{self.path}: there is no {kind or 'widget'} {label!r}; there are {', '.join(there)}")

    def texts(self) -> list[str]:
        """What the page says in words: markdown, headings, alerts, progress."""
        kinds = {"markdown": "body", "heading": "body", "alert": "body", "text": "body", "progress": "text"}
        return [str(getattr(each.message, kinds[each.kind])) for each in self.of_kind(*kinds)]

    def ticking(self) -> dict[str, float]:
        """The fragments that tick, and their seconds."""
        return {fragment_id: timer.interval for fragment_id, timer in self._timers.items()}

    # -------------------------------------------------------------------------------------------- the connection

    async def _get(self, location: str) -> bytes:
        def fetch() -> bytes:
            with self._http.open(f"{self.address}{location}", timeout=PATIENCE) as answer:
                return bytes(answer.read())

        return await asyncio.to_thread(fetch)

    def _cookie_header(self) -> dict[str, str]:
        request = urllib.request.Request(f"{self.address}/_stcore/stream")
        self._cookies.add_cookie_header(request)
        cookie = request.get_header("Cookie")
        return {"Cookie": cookie} if cookie else {}

    async def _connect(self) -> None:
        tokens = [self.cookie("_streamlit_xsrf") or PLACEHOLDER_TOKEN, *([self.session_id] if self.session_id else [])]
        self._socket = await connect(
            f"ws{self.address.removeprefix('http')}/_stcore/stream",
            subprotocols=[Subprotocol(each) for each in ("streamlit", *tokens)],
            origin=self.address,  # type: ignore[arg-type]
            additional_headers=self._cookie_header(),
            max_size=None,
            proxy=None,
            open_timeout=PATIENCE,
            ping_interval=None,  # a page cannot ping; it answers the server's
        )

    async def _stay_connected(self) -> None:
        """Read until the tab is closed; connect anew whenever the connection is lost."""
        while True:
            await self._read()
            if self._closing:
                return
            lost, before = time.perf_counter(), self.session_id
            self._socket = None
            for request in self._requests:
                request.answer.cancel()
            self._requests.clear()
            await asyncio.sleep(random.uniform(*PAUSE_BEFORE_RECONNECTING))
            await self._until_back()
            connected = time.perf_counter()
            self._in_background(self._taken_up_again(lost, connected, before))

    async def _until_back(self) -> None:
        wait = FIRST_RETRY
        while True:
            try:
                for endpoint in ("health", "host-config"):
                    await self._get(f"/_stcore/{endpoint}")
                await self._connect()
                return
            except (OSError, urllib.error.URLError, InvalidHandshake, ConnectionClosed):
                await asyncio.sleep(wait * random.uniform(0.7, 1.0))
                wait = min(2 * wait, LONGEST_RETRY)

    async def _taken_up_again(self, lost: float, connected: float, before: str) -> None:
        with suppress(ClientError):  # lost once more: the next one says how it went
            answer = await self._asked()
            self.reconnections.append(Reconnection(lost, connected, self.session_id == before, answer))

    async def _read(self) -> None:
        assert self._socket is not None
        with suppress(ConnectionClosed):
            async for data in self._socket:
                assert isinstance(data, bytes)
                self.received += len(data)
                self._run_size += len(data)
                self._receive(ForwardMsg.FromString(data))

    def _in_background(self, work: Any) -> None:  # Any: a coroutine
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        task.add_done_callback(self._note_crash)

    def _note_crash(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self.failures.append(f"{self.path}: the client itself: {error!r}")

    # ------------------------------------------------------------------------------------------------- requests

    async def _asked(self, fragment_id: str = "", **more: Any) -> Answer:  # Any: other fields of the message
        request = await self._send(fragment_id, **more)
        try:
            return await asyncio.wait_for(request.answer, PATIENCE)
        except TimeoutError:
            raise ClientError(f"{self.path}: no answer within {PATIENCE:g} s") from None
        except asyncio.CancelledError:
            if self._closing or request.answer.cancelled() is False:
                raise
            raise ClientError(f"{self.path}: the connection was lost before the answer came") from None

    async def _send(
        self,
        fragment_id: str = "",
        *,
        timer: bool = False,
        script: str | None = None,
        states: Iterable[WidgetState] | None = None,
    ) -> _Request:
        """Ask for a run of the script, or of one of its fragments."""
        message = BackMsg()
        ask = message.rerun_script
        ask.query_string = self.query
        ask.widget_states.widgets.extend(self._states.values() if states is None else states)
        ask.page_script_hash = self._script if script is None else script
        if not ask.page_script_hash:
            ask.page_name = self._path.strip("/")
        ask.fragment_id = fragment_id
        ask.is_auto_rerun = timer
        ask.cached_message_hashes.extend(self._kept)
        ask.context_info.timezone, ask.context_info.timezone_offset = "UTC", 0
        ask.context_info.locale, ask.context_info.color_scheme = "en-GB", "light"
        ask.context_info.url = f"{self.address}{self.path}"
        ask.context_info.is_embedded = False
        data = message.SerializeToString()
        request = _Request(fragment_id, time.perf_counter(), asyncio.get_running_loop().create_future())
        self._requests.append(request)
        self.sent += len(data)
        if self._socket is None:
            self._requests.remove(request)
            raise ClientError(f"{self.path}: not connected")
        with suppress(ConnectionClosed):  # whoever reads notices it too, and takes the request back
            await self._socket.send(data)
        return request

    async def _turned_to(self, script: str, query: str, path: str) -> Answer:
        """Ask for another page: with the widgets of the frame around the pages, and without this page's timers."""
        self._stop_timers()
        around = {element.id for element in self.elements.values() if element.script_hash == self._main_script}
        names = {getattr(element.message, "query_param_key", "") for element in self.elements.values()}
        bound = sorted(pair for pair in parse_qsl(self.query) if pair[0] in names)  # what widgets keep in the URL
        self.query, self._path = "&".join(part for part in (urlencode(bound), query) if part), f"/{path}"
        return await self._asked(script=script, states=[each for key, each in self._states.items() if key in around])

    # --------------------------------------------------------------------------------------------------- timers

    async def _tick(self, fragment_id: str, interval: float) -> None:
        due = time.perf_counter()
        while True:
            due += interval
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if self._socket is None:
                continue
            request = await self._send(fragment_id, timer=True)
            request.answer.add_done_callback(
                lambda done: None if done.cancelled() else self.updates.append(done.result())
            )

    def _start_timer(self, fragment_id: str, interval: float) -> None:
        running = self._timers.get(fragment_id)
        if running and running.interval == interval:
            return
        self._stop_timers([fragment_id])
        task = asyncio.create_task(self._tick(fragment_id, interval))
        task.add_done_callback(self._note_crash)
        self._timers[fragment_id] = _Timer(interval, task)

    def _stop_timers(self, fragment_ids: Iterable[str] | None = None) -> None:
        for fragment_id in list(self._timers if fragment_ids is None else fragment_ids):
            if timer := self._timers.pop(fragment_id, None):
                timer.task.cancel()

    # ------------------------------------------------------------------------------------------ what comes back

    def _receive(self, message: ForwardMsg) -> None:
        metadata = message.metadata
        if message.WhichOneof("type") == "ref_hash":
            kept = self._kept[message.ref_hash]
            kept.age_from = self._runs
            message = kept.message
        elif metadata.cacheable and message.hash not in self._kept:
            self._kept[message.hash] = _Kept(message, self._runs, message.delta.fragment_id)
        kind = message.WhichOneof("type")
        if kind == "delta":
            self._apply(message.delta, metadata)
        elif kind == "new_session":
            self._begin(message.new_session, metadata)
        elif kind == "script_finished":
            self._end(message.script_finished, metadata)
        elif kind == "navigation":
            self.pages = list(message.navigation.app_pages)
            self._script = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            self._start_timer(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            self._stop_timers(message.stop_auto_rerun.fragment_ids)
        elif kind == "page_not_found":
            self.failures.append(f"page not found: {message.page_not_found.page_name}")
        elif kind == "session_event" and message.session_event.HasField("script_compilation_exception"):
            self.failures.append(f"{self.path}: {message.session_event.script_compilation_exception.message}")

    def _begin(self, session: NewSession, metadata: ForwardMsgMetadata) -> None:
        """A run of the script, or of fragments, begins."""
        self._run, self._run_size = metadata.run.script_run_id, 0
        self.session_id = session.initialize.session_id or self.session_id
        self._most_age = session.config.max_cached_message_age or self._most_age
        fragment_ids = metadata.run.fragment_ids
        if not fragment_ids:
            self._stop_timers()
            self._script, self._main_script = session.page_script_hash, session.main_script_hash
        for request in self._requests:
            request.started = request.started or not fragment_ids or request.fragment_id in fragment_ids

    def _end(self, status: Finished.ValueType, metadata: ForwardMsgMetadata) -> None:
        """It has ended: what it did not draw again is gone, and whoever asked for it has an answer."""
        fragment_ids = set(metadata.run.fragment_ids)
        if status == Finished.FINISHED_WITH_COMPILE_ERROR:
            self.failures.append(f"{self.path}: the script does not compile")
        if status not in GOOD_ENDS:
            return
        self.elements = {
            path: each
            for path, each in self.elements.items()
            if each.run == metadata.run.script_run_id or (fragment_ids and each.fragment_id not in fragment_ids)
        }
        there = {element.id for element in self.elements.values()}
        self._states = {key: state for key, state in self._states.items() if key in there}
        self._runs += 1
        self._kept = {
            key: each
            for key, each in self._kept.items()
            if (fragment_ids and each.fragment_id not in fragment_ids) or self._runs - each.age_from <= self._most_age
        }
        now = time.perf_counter()
        for request in list(self._requests):
            if request.started and (not fragment_ids or request.fragment_id in fragment_ids):
                self._requests.remove(request)
                if not request.answer.done():
                    answer = Answer(request.fragment_id, request.sent, now - request.sent, self._run_size)
                    request.answer.set_result(answer)

    def _apply(self, delta: Delta, metadata: ForwardMsgMetadata) -> None:
        path = tuple(metadata.delta_path)
        before = self.elements.get(path)
        if delta.WhichOneof("type") == "new_transient":
            return  # a spinner, which leaves nothing
        if delta.WhichOneof("type") == "add_block":
            block = delta.add_block
            self.elements[path] = Element("", block, delta.fragment_id, metadata.active_script_hash, self._run)
            return
        kind = delta.new_element.WhichOneof("type") or ""
        message = getattr(delta.new_element, kind)
        element = Element(kind, message, delta.fragment_id, metadata.active_script_hash, self._run)
        if before is not None and before.kind == "":  # a container, and what was in it
            self.elements = {each: e for each, e in self.elements.items() if each[: len(path)] != path}
        self.elements[path] = element
        self._note_failure(element)
        if element.id and (element.id not in self._states or getattr(message, "set_value", False)):
            state = default_state(element)
            if state is not None:
                self._states[element.id] = state
        if kind == "imgs":
            self._in_background(self._fetch_images([each.url for each in message.imgs]))

    def _note_failure(self, element: Element) -> None:
        message: Any = element.message
        if element.kind == "exception" and not message.is_warning:
            self.failures.append(f"{self.path}: {message.type}: {message.message}")
        elif element.kind == "alert" and message.format == Alert.Format.ERROR:
            self.failures.append(f"{self.path}: {message.body}")

    async def _fetch_images(self, urls: list[str]) -> None:
        for url in urls:
            if url.startswith("/media/") and url not in self._media:
                self._media.add(url)
                with suppress(OSError):  # the app has drawn another one since
                    await self._get(url)
