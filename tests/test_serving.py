"""Safe defaults, on the app as it is started: who may call it, what it answers, and what it never says."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import time
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from streamlit import config
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from lab.server.connections import MOST, SPARE
from lab.server.headers import SAFE, is_own_name, is_own_page
from lab.settings import PREFIX, Settings
from tests.app_server import ROOT, Server, serving
from tests.patience import patient, wait
from tests.test_docs import TEXTS

SERVING = ROOT / "lab" / "server" / "serving"
SERVED = {path.name: path.read_text(encoding="utf-8") for path in SERVING.iterdir()}
PLACES = {"LAB_CPU_KERNELS", "LAB_DATA", "LAB_HOME", "LAB_OFFLINE", "LAB_WORKER_IDLE"}  # they are no fields of Settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("served")) as running:
        yield running


def asked(
    server: Server, path: str, method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, http.client.HTTPMessage, str]:
    """Status, headers and text of an answer; underscores in names stand for hyphens."""
    connection = http.client.HTTPConnection(urlsplit(server.address).netloc, timeout=patient(30))
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode("utf-8", "replace")
    connection.close()
    return answer.status, answer.headers, text


def stream(server: Server, origin: str | None = None) -> ClientConnection:
    """The app's websocket, opened from a page of that origin."""
    address = f"{server.address.replace('http', 'ws')}/_stcore/stream"
    return connect(
        address, origin=Origin(origin) if origin else None, subprotocols=[Subprotocol("streamlit")], max_size=None
    )


def log(server: Server) -> str:
    return (server.home / "app.log").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------------ who may call it


def test_it_listens_on_loopback_only(server: Server) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent; the system picks the address it would send from
        own = probe.getsockname()[0]
    if own.startswith("127."):
        pytest.skip("this machine has no address besides loopback")
    port = urlsplit(server.address).port
    assert port
    socket.create_connection(("127.0.0.1", port), timeout=patient(10)).close()
    with pytest.raises(OSError):  # noqa: PT011 (refused here, unreachable elsewhere)
        socket.create_connection((own, port), timeout=patient(3))


def test_a_websocket_from_a_page_of_ours_opens_and_one_from_elsewhere_is_refused_at_once(server: Server) -> None:
    with stream(server, server.address):
        pass
    began = time.monotonic()
    for origin in ("http://evil.example", "https://localhost.evil.example", "http://localhost:1", "null"):
        with pytest.raises(InvalidStatus, match="403"):
            stream(server, origin)
    # Streamlit alone would ask the internet for its own address, twice a second.
    assert time.monotonic() - began < patient(5)
    assert "Did not auto detect external IP" not in log(server)


@pytest.mark.parametrize("path", ["/", "/health", "/_stcore/health", "/_stcore/stream"])
def test_a_name_that_is_not_its_own_gets_no_answer(server: Server, path: str) -> None:
    status, _, text = asked(server, path, Host="evil.example")
    assert status == 421
    assert "does not answer to the name 'evil.example'" in text


def test_an_upload_needs_the_token_of_a_page_of_ours(server: Server) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f.png"\r\n\r\nx\r\n--b--\r\n'
    path, kind = "/_stcore/upload_file/session/file", "multipart/form-data; boundary=b"
    assert asked(server, path, "PUT", body, Content_Type=kind)[0] == 403
    _, headers, _ = asked(server, "/_stcore/health")
    token = SimpleCookie(headers["Set-Cookie"])["_streamlit_xsrf"].value
    given = {"Content_Type": kind, "Cookie": f"_streamlit_xsrf={token}", "X_Xsrftoken": token}
    assert asked(server, path, "PUT", body, **given)[0] == 400  # for want of a session
    assert asked(server, path, "PUT", body, **given, Origin="http://evil.example")[0] == 403
    assert asked(server, path, "PUT", b"x" * 8_000_000, **given)[0] in (400, 413)


@pytest.mark.parametrize(
    ("host", "allowed", "address", "own"),
    [
        ("localhost:8501", (), "localhost", True),
        ("lab.localhost", (), "localhost", True),
        ("127.0.0.1:8501", (), "localhost", True),
        ("[::1]:8501", (), "localhost", True),
        ("192.168.1.5:8501", (), "localhost", True),  # a number is nobody's name; a tunnel may lead here
        ("evil.example", (), "localhost", False),
        ("evil.example", (), "127.0.0.1", False),
        ("localhost.evil.example", (), "::1", False),
        ("127.0.0.1.evil.example", (), "localhost", False),
        ("", (), "localhost", False),
        ("[::1", (), "localhost", False),
        ("classroom.school:8501", (), "192.168.1.5", True),
        ("classroom.school", (), None, True),
        ("lab.example.org", ("lab.example.org",), "127.0.0.1", True),
        ("LAB.example.org.:443", (" Lab.Example.org ",), "127.0.0.1", True),
        ("localhost:8501", ("lab.example.org",), "127.0.0.1", True),  # for `python -m lab health` on the server
        ("192.168.1.5", ("lab.example.org",), "127.0.0.1", False),
        ("other.example.org", ("lab.example.org",), "0.0.0.0", False),
        ("a.example.org", ("*.example.org",), "0.0.0.0", True),
        ("example.org", ("*.example.org",), "0.0.0.0", False),
        ("evilexample.org", ("*.example.org",), "0.0.0.0", False),
        ("anything", ("*",), "0.0.0.0", True),
    ],
)
def test_which_names_are_its_own(host: str, allowed: tuple[str, ...], address: str | None, own: bool) -> None:
    assert is_own_name(host, allowed, address) == own


def test_a_page_is_its_own_by_host_and_port_or_by_being_named() -> None:
    assert is_own_page("https://lab.example.org", "lab.example.org", ())
    assert not is_own_page("https://lab.example.org:8443", "lab.example.org", ())
    assert is_own_page("https://lab.example.org:8443", "lab.example.org", ("https://lab.example.org:8443",))
    assert not is_own_page("https://lab.example.org.evil.example", "lab.example.org", ("https://other.example",))


# ------------------------------------------------------------------------------------------------------ what it answers


@pytest.mark.parametrize("path", ["/", "/draw", "/health", "/_stcore/health", "/app/static/none.js", "/media/none"])
def test_each_answer_says_what_a_browser_may_not_do_with_it(server: Server, path: str) -> None:
    _, headers, _ = asked(server, path)
    for name, value in SAFE.items():
        assert headers.get_all(name) == [value]
    (policy,) = headers.get_all("Content-Security-Policy") or [""]
    assert "frame-ancestors 'self'" in policy
    assert "unsafe-eval" not in policy
    assert ("sandbox" in policy) == (path == "/media/none")


def test_its_health_stands_beside_streamlits_own(server: Server) -> None:
    status, _, text = asked(server, "/health")
    assert status in (200, 503)
    assert json.loads(text).keys() == {"well", "app", "store", "worker", "device", "data"}
    assert json.loads(text)["app"] is True
    assert asked(server, "/_stcore/health")[::2] == (200, "ok")

    def takes() -> float:
        began = time.perf_counter()
        asked(server, "/health")
        return time.perf_counter() - began

    wait(lambda: takes() < 0.02, "it answered within 20 ms")


@pytest.mark.parametrize("path", ["/app/static/", "/app/static/../streamlit_app.py", "/app/static/%2e%2e/README.md"])
def test_the_folder_of_static_files_is_neither_listed_nor_left(server: Server, path: str) -> None:
    status, _, text = asked(server, path)
    assert status in (400, 404)
    assert "import" not in text


def test_nothing_but_its_address_is_on_the_terminal_of_who_starts_it(server: Server) -> None:
    told = (server.home / "app.log").read_text()
    assert server.address in told
    assert not [each for each in ("No runtime found", "ScriptRunContext", "static folder") if each in told]


def test_it_is_driven_by_no_agent(server: Server) -> None:
    status, _, _ = asked(server, "/_stcore/agent/interact", "POST", b"{}", Content_Type="application/json")
    assert status in (403, 404)


def test_an_error_on_a_page_stands_in_the_log_and_not_on_the_page(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in ("core", "lab", "pages", "checkpoints", ".streamlit"):
        own = ("runs",) if name == "checkpoints" else ()
        left = shutil.ignore_patterns("__pycache__", "*.safetensors", "secrets.toml", *own)
        shutil.copytree(ROOT / name, copy / name, ignore=left)
    shutil.copy(ROOT / "streamlit_app.py", copy)
    (copy / "pages" / "learn" / "ladder.py").write_text('raise RuntimeError("the secret is in /srv/secret")\n')
    home = tmp_path / "home"
    home.mkdir()
    with serving(home, root=copy) as broken:
        received = []
        with stream(broken, broken.address) as socket_of_app:
            asking = BackMsg()
            asking.rerun_script.page_name = "ladder"
            socket_of_app.send(asking.SerializeToString())
            while True:
                content = socket_of_app.recv(timeout=patient(60))
                assert isinstance(content, bytes)
                message = ForwardMsg()
                message.ParseFromString(content)
                received.append(message)
                if message.WhichOneof("type") == "script_finished":
                    break
        written = log(broken)
    exceptions = [each.delta.new_element.exception for each in received if "exception" in str(each.delta)]
    assert [(each.type, list(each.stack_trace)) for each in exceptions] == [("RuntimeError", [])]
    shown = "".join(str(each) for each in received if each.WhichOneof("type") != "new_session")  # Streamlit's own
    for secret in ("secret", "ladder.py", "Traceback", str(copy)):
        assert secret not in shown
    assert "the secret is in /srv/secret" in written
    assert "ladder.py" in re.sub(r"\x1b\[[0-9;]*m|[│\s]", "", written)  # a long path goes over several lines


def test_what_is_safe_is_set_and_in_force() -> None:
    options = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    server, client = options["server"], options["client"]
    assert (server["address"], server["allowedHosts"], server["corsAllowedOrigins"]) == ("localhost", [], [])
    assert server["enableCORS"] is True
    assert server["enableXsrfProtection"] is True
    assert server["enableAgentApi"] is False
    assert server["maxUploadSize"] <= 32
    assert server["maxMessageSize"] <= 10
    assert client["showErrorDetails"] in ("type", "none")
    assert options["browser"]["gatherUsageStats"] is False
    for section in ("server", "client", "runner", "browser"):
        for name, value in options[section].items():
            assert config.get_option(f"{section}.{name}") == value  # raises for an option that there is not


# ------------------------------------------------------------------------------------------------- the page on serving


def test_every_option_of_streamlits_that_is_named_for_serving_exists() -> None:
    known = {option.env_var: key for key, option in config.get_config_options().items()}
    for text in (*TEXTS.values(), *SERVED.values()):
        for name in re.findall(r"\bSTREAMLIT_[A-Z_]+\b", text):
            assert name in known
        for name in re.findall(r"--((?:server|browser|client)\.\w+)|`((?:server|browser|client)\.[a-z]\w+)`", text):
            config.get_option(name[0] or name[1])  # raises for one that there is not


def test_every_setting_that_is_named_exists() -> None:
    ours = {f"{PREFIX}{field.name.upper()}" for field in fields(Settings)} | PLACES
    for path, text in (TEXTS | SERVED).items():
        assert set(re.findall(r"\bLAB_[A-Z_]+\b", text)) <= ours | {"LAB_FULL_STUDY", "LAB_TESTS_REQUIRE"}, path


def test_the_page_of_settings_has_each_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(LAB_[A-Z_]+)` \| ([^|]+) \|", TEXTS["docs/settings.md"], re.MULTILINE))
    for field in fields(Settings):
        default = field.default
        assert rows.pop(f"{PREFIX}{field.name.upper()}") == (
            default or "unset" if isinstance(default, str) else f"{default:,}"
        )
    assert rows.keys() == PLACES


def test_the_service_ends_the_app_alone_and_keeps_the_proxies_names() -> None:
    unit = (SERVING / "architecture-lab.service").read_text(encoding="utf-8")
    keys = re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE)
    values = dict(keys)
    assert values["KillMode"] == "process"  # the workers outlive it
    assert values["OOMPolicy"] == "continue"  # and one that is ended for its memory does not end it
    for dangerous in ("PrivateTmp", "PrivateDevices", "MemoryDenyWriteExecute"):  # see the comments there
        assert dangerous not in values
    environment = dict(value.strip('"').split("=", 1) for key, value in keys if key == "Environment")
    name = "lab.example.org"
    assert environment["STREAMLIT_SERVER_ALLOWED_HOSTS"].split() == [name, "localhost"]
    port = f"127.0.0.1:{environment['STREAMLIT_SERVER_PORT']}"
    streamlit_has = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    for proxy in ("nginx.conf", "Caddyfile"):
        text = (SERVING / proxy).read_text(encoding="utf-8")
        assert name in text
        assert port in text
        largest = re.findall(r"(?:client_max_body_size|max_size) (\d+)(?:m|MB)", text)
        assert [int(each) for each in largest] == [streamlit_has["server"]["maxUploadSize"] + 1], "a file and its form"
    assert int(values["LimitNOFILE"]) >= MOST + SPARE
