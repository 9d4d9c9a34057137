"""BitMEX over HTTP: signed calls within the budget, answers as rows, refusals as hbkit's errors.

Limits, status codes and texts are those of the project's BitMEX protocol reference, sections 3.1, 5 and 6.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from hbkit.clock import SECOND
from hbkit.errors import AuthenticationError, ExchangeError, OrderRejected, RateLimited
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
_TIMEOUT: Final = 8.0
_SECOND_LAYER: Final = frozenset(
    {("POST", "/order"), ("PUT", "/order"), ("DELETE", "/order"), ("DELETE", "/order/all")}
)
_OVERLOADED: Final = "currently overloaded"


class Overloaded(ExchangeError):
    """The engine was not reached (503): the same request may be sent again after half a second (5.2)."""

    code = "HB434"


NotAccepted = (Overloaded, RateLimited)
"""The engine has not seen the request: the same one may be sent again."""


class DuplicateOrder(OrderRejected):
    """An open order has this client id: after a lost answer the proof that the first try arrived (5.5)."""


class Rest:
    """The calls of one account."""

    def __init__(self, connection: Connection) -> None:
        self.server = ServerClock(connection.clock)
        self._connection = connection
        loop_clock = LoopClock()
        self._minute = TokenBucket(MINUTE_LIMIT, MINUTE_LIMIT / 60, loop_clock)
        self._second = TokenBucket(SECOND_LIMIT, SECOND_LIMIT, loop_clock)
        self.budget = RateBudget({"minute": self._minute, "second": self._second}, clock=loop_clock)
        self._http = HttpClient(
            connection.rest_url,
            clock=connection.clock,
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
        sent = self._connection.clock.now()
        answer = await self.get("/", dict[str, Any])
        received = self._connection.clock.now()
        stamp = answer.get("timestamp")
        if isinstance(stamp, int):
            self.server.sample(stamp * 1_000_000, sent, received)

    async def get(self, path: str, kind: type[T], **params: str | int) -> T:
        """A table, read as `kind`."""
        return read((await self._http.request("GET", path, params=params)).body, kind)

    async def pages(self, path: str, kind: type[T], count: int, **params: str | int) -> list[T]:
        """All rows of a table, asked for `count` at a time."""
        rows: list[T] = []
        while True:
            page = await self.get(path, list[kind], count=count, start=len(rows), **params)  # type: ignore[valid-type]
            rows += page
            if len(page) < count:
                return rows

    async def send(self, verb: str, path: str, body: bytes, kind: type[T], *, urgent: bool = False) -> T:
        """A write; `urgent` ones (cancels) overtake and have a share of the budget to themselves."""
        return read((await self._http.request(verb, path, body=body, urgent=urgent)).body, kind)

    def _sign(self, verb: str, target: str, body: bytes) -> Mapping[str, str]:
        connection = self._connection
        if not connection.api_key:
            return {}
        expires = self.expiry() // SECOND
        return headers(connection.api_key, connection.api_secret.reveal(), verb, target, expires, body)

    def _on_response(self, status: int, answer: Mapping[str, str]) -> None:
        del status
        if (left := _number(answer.get("x-ratelimit-remaining"))) is not None:
            self.budget.sync("minute", left)
        if (left := _number(answer.get("x-ratelimit-remaining-1s"))) is not None:
            self.budget.sync("second", left)

    def _error_of(self, status: int, body: bytes, answer: Mapping[str, str]) -> Exception:
        """The error behind an answer (5.2); a page in place of JSON tells by its status alone."""
        text = _text(body)
        if status in (401, 403):
            return AuthenticationError(
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
            return OrderRejected(text)
        return ExchangeError(f"BitMEX answered {status} ({text or 'no text'})")


def read(body: bytes, kind: type[T]) -> T:
    """JSON as typed rows; `""` for a number and digits as text are read as well (0.3)."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        return msgspec.convert(plain(msgspec.json.decode(body)), kind, strict=False)
    except msgspec.DecodeError as error:
        raise ExchangeError(f"BitMEX answered with {len(body)} bytes that are no JSON ({error})") from None


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
