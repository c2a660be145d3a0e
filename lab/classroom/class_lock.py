"""The class lock: a passphrase makes a browser the teacher's. Only its hash is kept, as a setting."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import deque

from core.errors import ClassError
from core.words import plural

COST = {"n": 2**14, "r": 8, "p": 1}  # scrypt's (RFC 7914): 16 MB and some 50 ms for each guess
LEAST_CHARACTERS, MAX_CHARACTERS = 8, 200
ATTEMPTS = 5  # wrong passphrases in a window, from one browser
ATTEMPTS_OF_ALL = 30  # and from all together: a browser can delete its cookie
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


class ClassLock:
    """Which browsers have given the passphrase; many sessions ask at once. It is forgotten when the app ends."""

    def __init__(self, kept: str) -> None:
        """`kept`: the hash of the passphrase, "" for a lab without a teacher."""
        self.kept = kept
        self._lock = threading.Lock()
        self._wrong: deque[tuple[float, str]] = deque()  # when, and whose
        self._unlocked: dict[str, float] = {}  # until when, by the browser's key

    def unlock(self, key: str, passphrase: str, now: float | None = None) -> None:
        """Make this browser the teacher's. Raises ClassError for a wrong passphrase, and for too many of them."""
        now = time.monotonic() if now is None else now
        if not self.kept:
            raise ClassError("this lab has no passphrase: to set one, run `python -m lab passphrase` on the server")
        if not key:
            raise ClassError("this browser keeps no cookies, so it cannot be known again")
        with self._lock:  # one at a time: guesses at the same moment would escape the count
            while self._wrong and now - self._wrong[0][0] > WINDOW_SECONDS:
                self._wrong.popleft()
            mine = sum(whose == key for _, whose in self._wrong)
            if mine >= ATTEMPTS or len(self._wrong) >= ATTEMPTS_OF_ALL:
                wait = WINDOW_SECONDS - (now - self._wrong[0][0])
                raise ClassError(
                    f"{plural(mine if mine >= ATTEMPTS else len(self._wrong), 'wrong passphrase')} within "
                    f"{WINDOW_SECONDS / 60:.0f} minutes; try again in {max(1, round(wait / 60))} min"
                )
            if not fits(passphrase, self.kept):
                self._wrong.append((now, key))
                left = ATTEMPTS - mine - 1
                tries = plural(left, "more try", "more tries")
                raise ClassError(f"that is not the passphrase; {tries} {'is' if left == 1 else 'are'} left")
            self._unlocked[key] = now + UNLOCKED_SECONDS

    def is_teacher(self, key: str, now: float | None = None) -> bool:
        """Whether this browser has given it, less than a day ago."""
        now = time.monotonic() if now is None else now
        with self._lock:
            return bool(key) and self._unlocked.get(key, float("-inf")) > now

    def lock(self, key: str) -> None:
        """Make this browser a student's again."""
        with self._lock:
            self._unlocked.pop(key, None)
