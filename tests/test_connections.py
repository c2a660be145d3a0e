"""Floods: connections that say nothing, on a real uvicorn, uploads, and remarks in the log. Nobody else is kept out."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message

from lab.server import uploads
from lab.server.connections import Bounds
from lab.server.quiet import MOST, WINDOW_SECONDS, AFewAMinute
from lab.server.uploads import MEGABYTE, BoundedUploads
from tests.patience import patient

ATTACKER, OTHER = "127.0.0.7", "127.0.0.8"
REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"

pytestmark = pytest.mark.own_data
many_addresses = pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives a machine all of 127.0.0.0/8")


@asynccontextmanager
async def served(bounds: Bounds) -> AsyncIterator[int]:
    """A server whose connections are bounded; its port."""

    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse("well")

    loop = asyncio.get_running_loop()
    config = uvicorn.Config(Starlette(routes=[Route("/", answer)]), log_level="error")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    listening = socket.create_server(("127.0.0.1", 0))
    make = loop.create_server
    loop.create_server = lambda made, **options: make(bounds.around(made), **options)  # type: ignore
    await server.startup(sockets=[listening])
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await server.shutdown(sockets=[listening])


async def connected(port: int, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))


async def answered(port: int, address: str) -> bool:
    """Whether a request from there is answered."""
    reader, writer = await connected(port, address)
    writer.write(REQUEST)
    try:
        return (await asyncio.wait_for(reader.readline(), patient(10))).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


async def silent(port: int, address: str, number: int) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    return [await connected(port, address) for _ in range(number)]


@many_addresses
def test_silent_connections_of_one_address_keep_nobody_out_not_even_there() -> None:
    async def scene() -> None:
        async with served(Bounds(most=40, each=10)) as port:
            held = await silent(port, ATTACKER, 60)
            assert await answered(port, OTHER)
            assert await answered(port, ATTACKER)
            ended = sum([reader.at_eof() or reader.exception() is not None for reader, _ in held])
            assert ended >= 50

    asyncio.run(scene())


@many_addresses
def test_silent_connections_of_many_addresses_give_way_to_those_that_ask() -> None:
    async def scene() -> None:
        async with served(Bounds(most=20, each=10)) as port:
            held = [await silent(port, f"127.0.1.{number}", 5) for number in range(1, 9)]
            assert await answered(port, OTHER)
            assert len(held) == 8

    asyncio.run(scene())


@many_addresses
def test_a_connection_that_asks_nothing_is_ended_in_time_and_one_that_asked_stays() -> None:
    async def scene() -> None:
        async with served(Bounds(most=20, each=10, silent_seconds=0.3)) as port:
            (mute, _), (reader, writer) = await connected(port, ATTACKER), await connected(port, ATTACKER)
            writer.write(REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            await reader.readuntil(b"well")
            assert await asyncio.wait_for(mute.read(), patient(10)) == b""  # which is its end
            writer.write(REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")

    asyncio.run(scene())


@many_addresses
def test_connections_that_asked_are_refused_beyond_the_share_of_their_address_only() -> None:
    async def scene() -> None:
        async with served(Bounds(most=40, each=10)) as port:
            held = []
            for _ in range(10):
                reader, writer = await connected(port, ATTACKER)
                writer.write(REQUEST)
                await reader.readline()
                held.append(writer)
            assert not await answered(port, ATTACKER)
            assert await answered(port, OTHER)
            gone = held.pop()
            gone.close()
            await gone.wait_closed()
            assert await answered(port, OTHER)  # by then the server has seen that it is closed
            assert await answered(port, ATTACKER)

    asyncio.run(scene())


def test_a_proxy_brings_as_many_as_there_may_be_in_all() -> None:
    async def scene() -> None:
        async with served(Bounds(most=40, each=10)) as port:
            for _ in range(30):
                reader, writer = await connected(port, "127.0.0.1")
                writer.write(REQUEST)
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")

    asyncio.run(scene())


# -------------------------------------------------------------------------------------------------- uploads and the log


def test_a_session_keeps_so_many_bytes_and_no_more_and_others_have_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"anna": 0, "ben": 0}

    async def keep(request: Request) -> PlainTextResponse:
        kept[request.path_params["session"]] += len(await request.body())
        return PlainTextResponse("kept")

    monkeypatch.setattr(uploads, "kept", lambda session=None: kept[session] if session else sum(kept.values()))
    bounded = Middleware(BoundedUploads, a_session=3 * MEGABYTE, of_all=4 * MEGABYTE)
    app = Starlette(
        routes=[Route("/_stcore/upload_file/{session}/{file}", keep, methods=["PUT"])], middleware=[bounded]
    )

    def put(session: str, length: bytes = b"%d" % MEGABYTE) -> str:
        path = f"/_stcore/upload_file/{session}/1"
        scope = {
            "type": "http", "method": "PUT", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(b"content-length", length)] if length else [],
        }  # fmt: skip
        answer = b""

        async def receive() -> Message:
            return {"type": "http.request", "body": bytes(MEGABYTE), "more_body": False}

        async def send(message: Message) -> None:
            nonlocal answer
            answer += message.get("body", b"")

        asyncio.run(app(scope, receive, send))
        return answer.decode()

    told = "The uploads of one page may have 3 MB together. Reload the page, then try again.\n"
    assert [put("anna") for _ in range(5)] == ["kept", "kept", "kept", told, told]
    assert put("ben") == "kept"
    assert put("ben").startswith("The uploads of all may have 4 MB together")
    kept["anna"] = 0  # its page is closed
    assert put("ben") == "kept"
    assert put("ben", length=b"") == told, "which says nothing of its length, and may be the longest"
    assert kept == {"anna": 0, "ben": 2 * MEGABYTE}


def test_a_flood_of_remarks_is_ten_a_minute_and_their_number() -> None:
    now = 0.0
    few = AFewAMinute(lambda: now)

    def written(text: str, line: int) -> str | None:
        record = logging.LogRecord("lab", logging.WARNING, "headers.py", line, text, ("b",), None)
        return record.getMessage() if few.filter(record) else None

    assert [written("no %s", 7) for _ in range(1000)] == ["no b"] * MOST + [None] * (1000 - MOST)
    assert written("no %s", 8) == "no b"
    assert written("another %s", 7) == "another b"
    now = WINDOW_SECONDS + 1
    assert written("no %s", 7) == "no b (990 more of this kind were left out before)"
    assert written("no %s", 7) == "no b"
