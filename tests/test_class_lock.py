"""Who is the teacher, and whose browser it is: a passphrase of which only the hash is kept, and a token in a cookie."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from contextlib import suppress
from http.cookies import SimpleCookie

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import Message

from core.errors import ClassError
from lab.classroom.class_lock import (
    FREE,
    FREE_OF_ADDRESS,
    UNLOCKED_SECONDS,
    WINDOW_SECONDS,
    ClassLock,
    fits,
    hash_of,
    made_passphrase,
    waits,
)
from lab.server.cookie import COOKIE, TOKEN, OwnerCookie
from lab.settings import HASH
from tests.patience import patient

pytestmark = pytest.mark.own_data

PASSPHRASE = "correct horse battery"


def test_what_is_kept_is_salted_and_says_nothing_of_the_passphrase() -> None:
    one, two = hash_of(PASSPHRASE), hash_of(PASSPHRASE)
    assert one != two
    assert HASH.fullmatch(one), "which is what the setting asks for"
    assert PASSPHRASE not in one
    assert fits(PASSPHRASE, one)
    assert fits(PASSPHRASE, two)
    assert not fits(PASSPHRASE + ".", one)
    assert not fits("", one)
    _, salt, found = one.split(":")
    assert found == hashlib.scrypt(PASSPHRASE.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex()


@pytest.mark.parametrize("passphrase", ["", "1234567", "x" * 201])
def test_a_passphrase_is_neither_short_nor_endless(passphrase: str) -> None:
    with pytest.raises(ClassError, match=f"has {len(passphrase)} characters; 8 to 200"):
        hash_of(passphrase)


def test_the_right_passphrase_makes_one_browser_the_teachers_for_a_day() -> None:
    lock = ClassLock(hash_of(PASSPHRASE))
    lock.unlock("anna", PASSPHRASE, now=0)
    assert lock.is_teacher("anna", now=1)
    assert not lock.is_teacher("ben", now=1)
    assert not lock.is_teacher("anna", now=UNLOCKED_SECONDS + 1)
    lock.unlock("anna", PASSPHRASE, now=0)
    lock.lock("anna")
    assert not lock.is_teacher("anna", now=1)


def test_wrong_ones_are_answered_later_and_later_and_the_right_one_at_once() -> None:
    rests: list[float] = []
    lock = ClassLock(hash_of(PASSPHRASE), rests.append)
    for _ in range(FREE + 6):
        with pytest.raises(ClassError, match="not the passphrase"):
            lock.unlock("ben", "wrong passphrase", now=1)
    assert rests == [1, 2, 4, 8, 8, 8]
    assert lock.wrong(now=2) == FREE + 6
    lock.unlock("ben", PASSPHRASE, now=2)  # the browser that has guessed wrong
    lock.unlock("anna", PASSPHRASE, now=2)  # and another
    assert len(rests) == 6
    with pytest.raises(ClassError, match=r"not the passphrase$"):
        lock.unlock("anna", "wrong passphrase", now=2)
    assert lock.wrong(now=WINDOW_SECONDS + 1.5) == 1
    with pytest.raises(ClassError, match=r"not the passphrase$"):
        lock.unlock("ben", "wrong passphrase", now=WINDOW_SECONDS + 3)


@pytest.mark.slow
def test_throwing_the_cookie_away_buys_no_speed_at_one_address_and_keeps_nobody_out() -> None:
    rests: list[float] = []
    lock = ClassLock(hash_of(PASSPHRASE), rests.append)
    for number in range(FREE_OF_ADDRESS + 5):
        with pytest.raises(ClassError, match="not the passphrase"):
            lock.unlock(f"browser {number}", "wrong passphrase", "10.0.0.7", now=1)
    assert rests == [1, 2, 4, 8, 8]
    with pytest.raises(ClassError, match=r"not the passphrase$"):
        lock.unlock("another", "wrong passphrase", "10.0.0.8", now=1)
    lock.unlock("the teacher's", PASSPHRASE, "10.0.0.7", now=1)
    assert lock.is_teacher("the teacher's", now=2)
    assert len(rests) == 5


def test_the_right_one_comes_through_while_wrong_ones_wait() -> None:
    """Forty browsers guess at once, from the teacher's own address; none of them has its answer yet."""
    waiting, over = threading.Semaphore(0), threading.Event()

    def rest(seconds: float) -> None:
        waiting.release()
        over.wait(patient(60))

    lock = ClassLock(hash_of(PASSPHRASE), rest)
    lock._wrong.extend((0.0, "before", "10.0.0.7") for _ in range(FREE_OF_ADDRESS))

    def guess(number: int) -> None:
        with suppress(ClassError):
            lock.unlock(f"browser {number}", "wrong passphrase", "10.0.0.7", now=1)

    guesses = [threading.Thread(target=guess, args=(number,)) for number in range(40)]
    for each in guesses:
        each.start()
    waiting.acquire()
    lock.unlock("the teacher's", PASSPHRASE, "10.0.0.7", now=1)
    assert lock.is_teacher("the teacher's", now=2)
    over.set()
    for each in guesses:
        each.join()


def test_a_made_passphrase_is_long_and_another_each_time() -> None:
    made = {made_passphrase() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"(?:[b-z][aeiou]){2}(?:-(?:[b-z][aeiou]){2}){3}", each) for each in made)
    assert (15 * 5) ** 8 > 2**49
    assert [waits(wrong) for wrong in (-3, 0, 1, 2, 3, 4, 40)] == [0, 0, 1, 2, 4, 8, 8]


def test_without_a_passphrase_there_is_no_teacher() -> None:
    with pytest.raises(ClassError, match="no passphrase"):
        ClassLock("").unlock("anna", "")
    with pytest.raises(ClassError, match="keeps no cookies"):
        ClassLock(hash_of(PASSPHRASE)).unlock("", PASSPHRASE)


# ----------------------------------------------------------------------------------------------------------- the cookie


def page(request: Request) -> HTMLResponse:
    return HTMLResponse("<p>the lab</p>")


def data(request: Request) -> PlainTextResponse:
    return PlainTextResponse("1")


APP = Starlette(routes=[Route("/", page), Route("/data", data)], middleware=[Middleware(OwnerCookie)])


def cookie_of(path: str, cookies: str = "", scheme: str = "http", forwarded: str = "") -> str:
    """What the answer sets, "" for nothing."""
    headers = [(b"host", b"localhost")]
    headers += [(b"cookie", cookies.encode())] if cookies else []
    headers += [(b"x-forwarded-proto", forwarded.encode())] if forwarded else []
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": headers, "scheme": scheme, "server": ("localhost", 80), "http_version": "1.1",
    }  # fmt: skip
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(APP(scope, receive, send))
    return dict(sent[0]["headers"]).get(b"set-cookie", b"").decode()


def test_a_new_browser_gets_an_unguessable_token_that_no_script_can_read() -> None:
    given = cookie_of("/")
    morsel = SimpleCookie(given)[COOKIE]
    assert TOKEN.fullmatch(morsel.value)
    assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "lax", "/")
    assert cookie_of("/") != given


def test_a_browser_that_has_one_keeps_it_and_data_come_without() -> None:
    token = SimpleCookie(cookie_of("/"))[COOKIE].value
    assert cookie_of("/", f"other=1; {COOKIE}={token}") == ""
    assert cookie_of("/", f"{COOKIE}=<script>") != "", "what is no token is replaced"
    assert cookie_of("/data") == ""


def test_over_tls_the_cookie_never_travels_in_the_clear() -> None:
    assert "Secure" not in cookie_of("/")
    assert cookie_of("/", scheme="https").endswith("; Secure")
    assert cookie_of("/", forwarded="https").endswith("; Secure")
