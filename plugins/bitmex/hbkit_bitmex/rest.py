"""BitMEX over HTTP: signed calls within the budget, answers as rows, refusals as hbkit's errors.

Limits, status codes and texts are those of the project's BitMEX protocol reference, sections 3.1, 5 and 6.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from hbkit.clock import SECOND, Clock
from hbkit.errors import AuthenticationError, ExchangeError, OrderRejected, RateLimited, WireError
from hbkit.exchange import Connection
from hbkit.net.http import HttpClient, RequestDisconnected, ServerClock
from hbkit.net.limits import LoopClock, RateBudget, TokenBucket
from hbkit_bitmex.auth import headers
from hbkit_bitmex.frames import plain

T = TypeVar("T")

EXPIRES_SECONDS: Final = 10
"""A signed request is refused this long after it was signed (3.1): short, so that a lost one is soon proved lost."""
MINUTE_LIMIT: Final = 120
SECOND_LIMIT: Final = 10
ADDRESS_LIMIT: Final = 30
"""Calls a minute without a key."""
_TIMEOUT: Final = 8.0
TRIES: Final = 4
_PAUSE: Final = 0.25
LOCKED_OUT: Final = 3
"""Refused logins in a row after which the key is taken for refused: one can be a clock that was just set."""
_SECOND_LAYER: Final = frozenset(
    {("POST", "/order"), ("PUT", "/order"), ("DELETE", "/order"), ("DELETE", "/order/all")}
)
_OVERLOADED: Final = "currently overloaded"
_EXPIRED: Final = "request has expired"
_BANNED: Final = "Forbidden"
BAN_SECONDS: Final = 60.0


class Overloaded(ExchangeError):
    """The engine was not reached (503): the same request may be sent again after half a second (5.2)."""

    code = "HB434"


NotAccepted = (Overloaded, RateLimited)
"""The engine has not seen the request: the same one may be sent again."""


class Expired(AuthenticationError):
    """The signature's time was over when the request arrived: it was not looked at (3.1)."""


class DuplicateOrder(OrderRejected):
    """An open order has this client id: after a lost answer the proof that the first try arrived (5.5)."""


class SteadyClock:
    """The machine's clock as it stood at first, moved on by the loop's: that it is set later moves nothing here.

    A request would otherwise be taken for expired, or could still be accepted, at another time than it was signed for.
    """

    def __init__(self, clock: Clock) -> None:
        self._loop = LoopClock()
        self._ahead = clock.now() - self._loop.now()

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        return self._loop.now() + self._ahead


class Room:
    """The calls that an account may make, for all connections of it together."""

    def __init__(self) -> None:
        clock = LoopClock()
        self.minute = TokenBucket(MINUTE_LIMIT, MINUTE_LIMIT / 60, clock)
        self.second = TokenBucket(SECOND_LIMIT, SECOND_LIMIT, clock)
        self.budget = RateBudget({"minute": self.minute, "second": self.second}, clock=clock)


class Rest:
    """The calls of one account."""

    def __init__(
        self, connection: Connection, on_locked_out: Callable[[AuthenticationError], None], *, tries: int = TRIES
    ) -> None:
        """
        :param on_locked_out: called when the key is refused again and again.
        :param tries: how often a question is asked: asking twice does no harm, unlike ordering twice.
        """
        self._tries = tries
        self._clock = SteadyClock(connection.clock)
        self.server = ServerClock(self._clock)
        self._connection = connection
        self._on_locked_out = on_locked_out
        self._refused = 0
        self._root = urlsplit(connection.rest_url).path.rstrip("/") + "/"
        room = connection.shared.once("room", Room)
        self._minute, self._second, self.budget = room.minute, room.second, room.budget
        self._http = HttpClient(
            connection.rest_url,
            clock=self._clock,
            error_of=self._error_of,
            connector_factory=connection.connector,
            sign=self._sign,
            budget=self.budget,
            charge=_charge,
            on_response=self._on_response,
            server_clock=self.server,
            timeout=_TIMEOUT,
        )

    async def close(self) -> None:
        """Close the session."""
        await self._http.close()

    @property
    def key_hint(self) -> str:
        """The end of the key, for messages."""
        return f"ending ..{self._connection.api_key[-2:]}"

    def left(self) -> tuple[float, float]:
        """Calls that may be made now: in the minute, in the second."""
        return self._minute.available(), self._second.available()

    def expiry(self) -> int:
        """When a request that was signed by now can no longer be accepted: ns on the exchange's clock."""
        return self.server.now() + EXPIRES_SECONDS * SECOND

    async def read_time(self) -> None:
        """Ask for the exchange's clock: the root route tells it in milliseconds."""
        sent = self._clock.now()
        answer = await self.get("/", dict[str, Any])
        received = self._clock.now()
        stamp = answer.get("timestamp")
        if isinstance(stamp, int):
            self.server.sample(stamp * 1_000_000, sent, received)

    async def get(self, path: str, kind: type[T], **params: str | int) -> T:
        """A table, read as `kind`; asked for again where the answer was lost."""
        for attempt in range(self._tries):
            try:
                return await self._call("GET", path, kind, params=params)
            except (WireError, *NotAccepted):
                if attempt == self._tries - 1:
                    raise
                await asyncio.sleep(_PAUSE * 2**attempt)
        raise AssertionError("unreachable")

    async def pages(self, path: str, kind: type[T], count: int, **params: str | int) -> list[T]:
        """All rows of a table, asked for `count` at a time."""
        rows: list[T] = []
        while True:
            page = await self.get(path, list[kind], count=count, start=len(rows), **params)  # type: ignore[valid-type]
            rows += page
            if len(page) < count:
                return rows

    async def send(
        self,
        verb: str,
        path: str,
        body: bytes,
        kind: type[T],
        *,
        urgent: bool = False,
        leaving: Callable[[int], None] | None = None,
    ) -> T:
        """A write, sent once; `urgent` ones (cancels) overtake and have a share of the budget to themselves.

        `leaving` is called right before it is sent, with the moment at which it expires.
        """
        told = None if leaving is None else lambda: leaving(self.expiry())
        return await self._call(verb, path, kind, body=body, urgent=urgent, leaving=told)

    async def _call(self, verb: str, path: str, kind: type[T], **options: Any) -> T:
        try:
            return await self._call_once(verb, path, kind, **options)
        except Expired:
            # This machine slept, or the request was long on its way: the time is asked for anew.
            self.server.forget()
            await self.read_time()
        return await self._call_once(verb, path, kind, **options)

    async def _call_once(self, verb: str, path: str, kind: type[T], **options: Any) -> T:
        try:
            answer = read((await self._http.request(verb, path, **options)).body, kind)
        except AuthenticationError as error:
            self._refused += 1
            if self._refused >= LOCKED_OUT:
                self._on_locked_out(error)
            raise
        self._refused = 0
        return answer

    def _sign(self, verb: str, target: str, body: bytes) -> Mapping[str, str]:
        connection = self._connection
        # The clock is asked for without a signature: one by a clock that is off would be refused.
        if not connection.api_key or target == self._root:
            return {}
        expires = self.expiry() // SECOND
        return headers(connection.api_key, connection.api_secret.reveal(), verb, target, expires, body)

    def _on_response(self, status: int, answer: Mapping[str, str]) -> None:
        del status
        if self._connection.api_key and _number(answer.get("x-ratelimit-limit")) == ADDRESS_LIMIT:
            return  # the answer to an unsigned call counts the address, not the key (6)
        if (left := _number(answer.get("x-ratelimit-remaining"))) is not None:
            self.budget.sync("minute", left)
        if (left := _number(answer.get("x-ratelimit-remaining-1s"))) is not None:
            self.budget.sync("second", left)

    def _error_of(self, status: int, body: bytes, answer: Mapping[str, str]) -> Exception:
        """The error behind an answer (5.2); a page in place of JSON tells by its status alone."""
        text = _text(body)
        if status == 403 and text in ("", _BANNED):
            # A page, or this word alone, speaks of the address; nothing at all is to be sent for a while (5.2, 6).
            self.budget.pause(BAN_SECONDS)
            said = f"BitMEX takes nothing from here for a while ({text or status})"
            return RateLimited(said, retry_after=BAN_SECONDS)
        if status in (401, 403):
            kind = Expired if _EXPIRED in text else AuthenticationError
            return kind(
                f"BitMEX refused the key {self.key_hint} ({text or status}); check api_key, api_secret and the host"
            )
        if status == 429:
            return RateLimited(f"BitMEX asks to wait ({text})", retry_after=_number(answer.get("retry-after")) or 1.0)
        if status == 503 and _OVERLOADED in text:
            return Overloaded(f"BitMEX is overloaded ({text})")
        if status >= 500:
            said = f"BitMEX answered {status} ({text or 'no text'}); it may have arrived"
            return RequestDisconnected(said, sent=True)
        if status == 400 and "duplicate clordid" in text.lower():
            return DuplicateOrder(text)
        if status == 400:
            return OrderRejected(text or "BitMEX answered 400 without a reason")
        return ExchangeError(f"BitMEX answered {status} ({text or 'no text'})")


def read(body: bytes, kind: type[T]) -> T:
    """JSON as typed rows; `""` for a number and digits as text are read as well (0.3).

    What cannot be read is an answer that was lost: the request behind it was done.
    """
    try:
        return _rows(body, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error)
    raise RequestDisconnected(f"BitMEX answered with {len(body)} bytes that cannot be read ({reason})", sent=True)


def _rows(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        return msgspec.convert(plain(msgspec.json.decode(body)), kind, strict=False)


def _charge(verb: str, path: str) -> tuple[str, ...]:
    return ("minute", "second") if (verb, path) in _SECOND_LAYER else ("minute",)


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() else None


def _text(body: bytes) -> str:
    try:
        error = json.loads(body).get("error", "")
    except (ValueError, AttributeError):
        return ""
    return str(error.get("message", "")) if isinstance(error, dict) else str(error)
