"""What a flood does to the app: `python -m tests.floods [--connections 1500] [--files 1024] [--uploads 120]`. Linux.

Connections that say nothing come from an address of their own (127.0.0.7), and meanwhile a browser at another asks for
the page; then files are uploaded into one session. The exit status is 1 if somebody was kept out.
"""

from __future__ import annotations

import argparse
import http.client
import re
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.app_server import Server, serving

ATTACKER, BROWSER = "127.0.0.7", "127.0.0.8"
MOST_SECONDS = 10.0  # for which anybody may be kept out
MEGABYTES = 5


def page_seconds(server: Server) -> float:
    """Seconds until a browser at another address has the first page; it tries again each tenth of a second."""
    host, began = urlsplit(server.address), time.perf_counter()
    while time.perf_counter() - began < 60:
        with suppress(OSError, http.client.HTTPException):
            asking = http.client.HTTPConnection("127.0.0.1", host.port, timeout=5, source_address=(BROWSER, 0))
            asking.request("GET", "/", headers={"Host": "localhost"})
            if asking.getresponse().status == 200:
                return time.perf_counter() - began
        time.sleep(0.1)
    return float("inf")


def flood(server: Server, number: int, stack: ExitStack) -> int:
    """Open connections that say nothing; how many the system let us open."""
    port = urlsplit(server.address).port
    for count in range(number):
        try:
            opened = socket.create_connection(("127.0.0.1", port), 5, (ATTACKER, 0))
        except OSError:
            return count
        stack.callback(opened.close)
    return number


def session_of(stream: ClientConnection) -> str:
    """The session that the app began for this websocket."""
    stream.send(BackMsg(rerun_script={}).SerializeToString())
    while True:
        message = ForwardMsg.FromString(stream.recv())  # type: ignore[arg-type]
        if message.WhichOneof("type") == "new_session":
            return str(message.new_session.initialize.session_id)


def uploaded(server: Server, session: str, number: int) -> dict[int, int]:
    """Upload that many files into a session; how many answers of each status."""
    host, statuses = urlsplit(server.address).netloc, dict[int, int]()
    data = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f.bin"\r\n\r\n' + bytes(MEGABYTES << 20)
    for each in range(number):
        asking = http.client.HTTPConnection(host, timeout=30)
        asking.request("GET", "/_stcore/health")
        answer = asking.getresponse()
        answer.read()
        token = re.search(r"_streamlit_xsrf=([^;]+)", answer.headers.get("Set-Cookie", ""))
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        if token:
            headers |= {"X-Xsrftoken": token[1], "Cookie": f"_streamlit_xsrf={token[1]}"}
        status = 0
        with suppress(OSError):  # refused before it was read
            asking.request("PUT", f"/_stcore/upload_file/{session}/file-{each}", data + b"\r\n--b--\r\n", headers)
            status = asking.getresponse().status
        asking.close()
        statuses[status] = statuses.get(status, 0) + 1
    return statuses


def resident_mb(server: Server) -> float:
    """What the app has in memory, MB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{server.process.pid}/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both floods; 1 if somebody was kept out for too long."""
    parser = argparse.ArgumentParser(prog="python -m tests.floods", description="What a flood does to the app.")
    parser.add_argument("--connections", type=int, default=1500)
    parser.add_argument("--files", type=int, default=1024, help="that the app may have open")
    parser.add_argument("--uploads", type=int, default=120, help=f"of {MEGABYTES} MB each")
    given = parser.parse_args(arguments)
    own = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (own, own))
    limited = ["sh", "-c", f'ulimit -n {given.files}; exec "$0" "$@"', sys.executable, "-m", "streamlit", "run"]
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        server = stack.enter_context(serving(Path(home), command=[*limited, "streamlit_app.py"]))
        log = Path(home) / "app.log"
        before = page_seconds(server), log.stat().st_size
        opened = flood(server, given.connections, stack)
        times = [page_seconds(server) for _ in range(5)]
        time.sleep(MOST_SECONDS)
        times.append(page_seconds(server))
        print(f"{opened:,} silent connections, {given.files:,} files: the page after {before[0]:.2f} s without them,")
        with_them = ", ".join(f"{each:.2f}" for each in times)
        print(f"  after {with_them} s with them; {log.stat().st_size - before[1]:,} bytes of log")
        address = f"{server.address.replace('http', 'ws')}/_stcore/stream"
        stream = stack.enter_context(connect(address, subprotocols=[Subprotocol("streamlit")], max_size=None))
        session, memory = session_of(stream), resident_mb(server)
        statuses = uploaded(server, session, given.uploads)
        more = resident_mb(server) - memory
        print(f"{given.uploads} uploads of {MEGABYTES} MB into one session: {statuses}, {more:+.0f} MB")
        times.append(page_seconds(server))
    return int(max(times) > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
