"""The class lock: a passphrase makes a browser the teacher's. Only its hash is kept, as a setting.

The right passphrase is never refused and never kept waiting: otherwise students could keep the teacher out with wrong
ones. Wrong ones are answered later and later, by browser and by address. Somebody who uses new browsers from many
addresses can still try one after the other, which scrypt holds to some 20 a second: a passphrase that the lab makes
(`made_passphrase`, 50 random bits) would take them a million years.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable

from core.errors import ClassError
from core.words import plural

COST = {"n": 2**14, "r": 8, "p": 1}  # scrypt's (RFC 7914): 16 MB and some 50 ms for each guess
LEAST_CHARACTERS, MAX_CHARACTERS = 8, 200
FREE = 5  # wrong passphrases of a browser within the window that are answered at once
FREE_OF_ADDRESS = 30  # and of an address: a browser can delete its cookie, and a class may share one
SLOWEST_SECONDS = 8.0  # until a wrong one is answered
WINDOW_SECONDS = 300.0
UNLOCKED_SECONDS = 12 * 3600.0  # a teaching day


def hash_of(passphrase: str, salt: bytes | None = None) -> str:
    """What the setting keeps: `scrypt:SALT:HASH`, in hexadecimal digits. Raises ClassError."""
    if not LEAST_CHARACTERS <= len(passphrase) <= MAX_CHARACTERS:
        raise ClassError(
            f"the passphrase has {len(passphrase):,} characters; {LEAST_CHARACTERS} to {MAX_CHARACTERS} are possible"
        )
    salt = secrets.token_bytes(16) if salt is None else salt
    found = hashlib.scrypt(passphrase.encode("utf-8", "surrogatepass"), salt=salt, dklen=32, **COST)
    return f"scrypt:{salt.hex()}:{found.hex()}"


def fits(passphrase: str, kept: str) -> bool:
    """Whether it is the passphrase of that hash; the time does not depend on where they differ."""
    if not LEAST_CHARACTERS <= len(passphrase) <= MAX_CHARACTERS:
        return False
    salt = bytes.fromhex(kept.split(":")[1])
    return hmac.compare_digest(hash_of(passphrase, salt), kept)


def made_passphrase() -> str:
    """Eight random syllables, such as `tabi-roku-mena-lufo`: 8 x log2(75), which is 50 bits."""
    syllables = [secrets.choice("bdfghklmnprstvz") + secrets.choice("aeiou") for _ in range(8)]
    return "-".join(one + two for one, two in zip(syllables[::2], syllables[1::2], strict=True))


def waits(wrong: int) -> float:
    """Seconds until a wrong passphrase is answered, the `wrong`th beyond those that are free: 1, 2, 4, then 8."""
    return min(2.0 ** (wrong - 1), SLOWEST_SECONDS) if wrong > 0 else 0.0


class ClassLock:
    """Which browsers have given the passphrase; many sessions ask at once. It is forgotten when the app ends."""

    def __init__(self, kept: str, rest: Callable[[float], None] = time.sleep) -> None:
        """`kept`: the hash of the passphrase, "" for a lab without a teacher. `rest` waits for as many seconds."""
        self.kept = kept
        self._rest = rest
        self._one_at_a_time, self._lock = threading.Lock(), threading.Lock()
        self._wrong: deque[tuple[float, str, str]] = deque(maxlen=10_000)  # when, whose, and from where
        self._unlocked: dict[str, float] = {}  # until when, by the browser's key

    def unlock(self, key: str, passphrase: str, address: str = "", now: float | None = None) -> None:
        """Make this browser, at this IP address ("": unknown), the teacher's. Raises ClassError for a wrong one."""
        now = time.monotonic() if now is None else now
        if not self.kept:
            raise ClassError("this lab has no passphrase: to set one, run `python -m lab passphrase` on the server")
        if not key:
            raise ClassError("this browser keeps no cookies, so it cannot be known again")
        with self._one_at_a_time:  # which bounds how many are tried in a second
            right = fits(passphrase, self.kept)
        with self._lock:
            if right:
                self._unlocked[key] = now + UNLOCKED_SECONDS
                return
            self._forget(now)
            self._wrong.append((now, key, address))
            mine = sum(whose == key for _, whose, _ in self._wrong)
            there = sum(where == address for _, _, where in self._wrong) if address else 0
        wait = max(waits(mine - FREE), waits(there - FREE_OF_ADDRESS))
        if not wait:
            raise ClassError("that is not the passphrase")
        self._rest(wait)
        raise ClassError(
            f"that is not the passphrase; after {plural(max(mine, there), 'wrong one')} within "
            f"{WINDOW_SECONDS / 60:.0f} minutes each wrong one is answered up to {SLOWEST_SECONDS:.0f} s later"
        )

    def wrong(self, now: float | None = None) -> int:
        """How many wrong passphrases were given within the window, by all."""
        with self._lock:
            self._forget(time.monotonic() if now is None else now)
            return len(self._wrong)

    def _forget(self, now: float) -> None:
        while self._wrong and now - self._wrong[0][0] > WINDOW_SECONDS:
            self._wrong.popleft()

    def is_teacher(self, key: str, now: float | None = None) -> bool:
        """Whether this browser has given it, less than a day ago."""
        now = time.monotonic() if now is None else now
        with self._lock:
            return bool(key) and self._unlocked.get(key, float("-inf")) > now

    def lock(self, key: str) -> None:
        """Make this browser a student's again."""
        with self._lock:
            self._unlocked.pop(key, None)
