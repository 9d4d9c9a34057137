"""Signed requests over one HTTP session: what is signed is what is sent, and a lost answer stays a lost answer.

    async with HttpClient("https://venue.example/v1", clock=clock, sign=sign, budget=budget, error_of=error_of) as http:
        response = await http.request("POST", "/order", body=body)

An answer with a status from 200 to 299 is returned; one from 400 on is raised as what `error_of` makes of it. What the
wire did is `RequestDisconnected` or `RequestTimeout`: they say nothing of what became of an order, only whether its
bytes may have reached the server (`sent`). Nothing is ever sent twice, no redirect is followed, TLS is always verified.

Keys and signatures live in one inner frame that raises nothing: failures leave it as values and are raised outside, so
that no traceback, cause or context of theirs leads to a header.
"""

from __future__ import annotations

import asyncio
import math
import re
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import msgspec
from yarl import URL

from hbkit.clock import SECOND, Clock
from hbkit.errors import ConfigError, Disconnected, ExchangeError, Timeout, WireError
from hbkit.log import get_logger
from hbkit.net.limits import RateBudget

MAX_BODY = 64 * 1024 * 1024

ConnectorFactory = Callable[[], aiohttp.BaseConnector]
Sign = Callable[[str, str, bytes], Mapping[str, str]]
ErrorOf = Callable[[int, bytes, Mapping[str, str]], Exception]
OnResponse = Callable[[int, Mapping[str, str]], None]
Params = Mapping[str, str | int]

_TARGET = re.compile(r"/[!-~]*")
# A Date header has whole seconds: the time it names began half a second ago on average.
_DATE_MIDDLE = SECOND // 2
_DATE_EVERY = 5 * SECOND
_SLOWEST_SAMPLE = 2 * SECOND
_WARN_OFFSET = SECOND
# A 429 that names no time.
_DEFAULT_PAUSE = 1.0

_log = get_logger("net.http")


class RequestDisconnected(Disconnected):
    """The connection failed; `sent` is False only if no byte of the request can have reached the server."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class RequestTimeout(Timeout):
    """No answer in time; `sent` is False only if no byte of the request can have reached the server."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


def may_have_arrived(error: BaseException) -> bool:
    """Whether the request behind `error` may have reached the server; True where nothing is known."""
    return bool(getattr(error, "sent", True))


class Response(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """An answer of the server, body as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Response(status={self.status}, {len(self.body)} bytes)"


# -- the server's time


class ServerClock:
    """The server's time: the handed-in clock and the median of the last five differences to it.

    Exact samples (a time in an answer's body) count before Date headers, which know whole seconds only.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._exact: deque[int] = deque(maxlen=5)
        self._dates: deque[int] = deque(maxlen=5)
        self._last_date = 0
        self._warned = False
        self.offset = 0
        """Server minus clock in nanoseconds; 0 until there is a sample."""

    def now(self) -> int:
        """Nanoseconds since the epoch, as the server sees it."""
        return self._clock.now() + self.offset

    @property
    def samples(self) -> int:
        """How many differences the offset comes from; 0 means that it is not known."""
        return len(self._exact or self._dates)

    def sample(self, server_ts: int, sent: int, received: int) -> None:
        """A time that the server named in an answer, and the clock's times before and after that exchange."""
        if self._usable(sent, received):
            self._exact.append(server_ts - (sent + received) // 2)
            self._settle()

    def sample_date(self, date: str, sent: int, received: int) -> None:
        """The Date header of an answer; read every few seconds once there are five."""
        if len(self._dates) == 5 and 0 <= received - self._last_date < _DATE_EVERY:
            return
        server_ts = _http_date(date)
        if server_ts is not None and self._usable(sent, received):
            self._last_date = received
            self._dates.append(server_ts + _DATE_MIDDLE - (sent + received) // 2)
            self._settle()

    def forget(self) -> None:
        """The clock stood still or was set: what was measured before says nothing any more."""
        self._exact.clear()
        self._dates.clear()

    def _usable(self, sent: int, received: int) -> bool:
        # A slow answer tells little, and over a jump of the clock nothing.
        return 0 <= received - sent <= _SLOWEST_SAMPLE

    def _settle(self) -> None:
        if self._exact and len(self._dates) == 5 and abs(median(self._exact) - median(self._dates)) > 2 * SECOND:
            # More than rounding can explain: the exact ones are from before a jump.
            self._exact.clear()
        self.offset = round(median(self._exact or self._dates))
        if (abs(self.offset) > _WARN_OFFSET) != self._warned:
            self._warned = not self._warned
            if self._warned:
                _log.warning(
                    "this machine's clock and the server's differ; set the clock (NTP)",
                    server_ahead_seconds=round(self.offset / SECOND, 3),
                )


def _http_date(text: str) -> int | None:
    try:
        return round(parsedate_to_datetime(text).timestamp()) * SECOND
    except (ValueError, OverflowError):
        return None


# -- the client


class HttpClient:
    """One session to one server.

    `charge` names the buckets of `budget` that a request takes from (default: all). `on_response` hears the status and
    the headers of every answer, before it is returned or raised: the place to feed the budget. A Retry-After is obeyed
    here. The clock must count nanoseconds since the epoch.
    """

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        error_of: ErrorOf,
        connector_factory: ConnectorFactory = aiohttp.TCPConnector,
        sign: Sign | None = None,
        budget: RateBudget | None = None,
        charge: Callable[[str, str], Iterable[str]] | None = None,
        on_response: OnResponse | None = None,
        server_clock: ServerClock | None = None,
        timeout: float = 10.0,
        connect_timeout: float = 5.0,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        tls: ssl.SSLContext | None = None,
        max_body: int = MAX_BODY,
    ) -> None:
        self._origin, self._prefix = _split(base_url)
        self._tls = verified(tls) if self._origin.startswith("https") else None
        self._clock = clock
        self._error_of = error_of
        self._connector_factory = connector_factory
        self._sign = sign
        self._budget = budget
        self._charge = charge
        self._on_response = on_response
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._headers = {"User-Agent": "hbkit", **(headers or {})}
        self._content_type = content_type
        self._max_body = max_body
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self.server_clock = ServerClock(clock) if server_clock is None else server_clock

    async def __aenter__(self) -> HttpClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the session; a request after that is refused."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        verb: str,
        path: str,
        *,
        params: Params | str | None = None,
        body: bytes = b"",
        urgent: bool = False,
        patience: float | None = None,
        leaving: Callable[[], None] | None = None,
    ) -> Response:
        """Send one request, once, and return its answer.

        `params` as a text is a query that is encoded already. `patience` is how long it may wait for the budget;
        `leaving` is called when that is over, right before the request is signed and sent.
        """
        verb = verb.upper()
        target = self._prefix + _target(path, params)
        what = f"{verb} {target.partition('?')[0]}"
        await self._wait_for_budget(verb, path, urgent, patience, what)
        if leaving is not None:
            leaving()
        sent = self._clock.now()
        outcome = await self._exchange(verb, target, body, what)
        if isinstance(outcome, Exception):
            raise outcome
        self._hear(outcome, sent)
        if 200 <= outcome.status < 300:
            return outcome
        raise self._refusal(outcome, what)

    async def _wait_for_budget(self, verb: str, path: str, urgent: bool, patience: float | None, what: str) -> None:
        if self._budget is None:
            return
        names = self._charge(verb, path) if self._charge is not None else ()
        try:
            async with asyncio.timeout(patience):
                await self._budget.take(*names, urgent=urgent)
            return
        except TimeoutError:
            pass
        raise RequestTimeout(f"{what} was not sent: the rate limit held it for {patience:g} s", sent=False)

    # -- the frame with the keys in it: raises nothing of the wire's

    async def _exchange(self, verb: str, target: str, body: bytes, what: str) -> Response | Exception:
        if self._closed:
            return RequestDisconnected(f"{what} was not sent: the client is closed", sent=False)
        headers = dict(self._headers)
        if body:
            headers["Content-Type"] = self._content_type
        if self._sign is not None:
            headers.update(self._sign(verb, target, body))
        try:
            async with asyncio.timeout(self._timeout):
                return await self._send(verb, target, body, headers)
        except WireFailure as failure:
            return failure.error(what)
        except aiohttp.ConnectionTimeoutError:
            return RequestTimeout(f"{what}: no connection within {self._connect_timeout:g} s", sent=False)
        except TimeoutError:
            return RequestTimeout(f"{what}: no answer within {self._timeout:g} s; it may have arrived", sent=True)
        except Exception as error:  # noqa: BLE001 - its text may hold a header; whatever it was, the outcome is unknown
            return WireFailure.of(error).error(what)

    async def _send(self, verb: str, target: str, body: bytes, headers: Mapping[str, str]) -> Response:
        options: dict[str, Any] = {} if self._tls is None else {"ssl": self._tls}
        session = self._session or self._open()
        async with session.request(
            verb,
            URL(self._origin + target, encoded=True),
            data=body or None,
            headers=headers,
            allow_redirects=False,
            **options,
        ) as answer:
            return Response(answer.status, answer.headers, await self._read(answer))

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        # Counted after decompression, while it comes in: a small answer can unpack to more than the memory holds.
        parts: list[bytes] = []
        size = 0
        async for part in answer.content.iter_any():
            size += len(part)
            if size > self._max_body:
                answer.close()
                raise WireFailure(f"the answer is larger than {self._max_body:,} bytes and was cut off", sent=True)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=self._connector_factory(),
            # The total is ours, around the whole exchange. Without the threshold aiohttp rounds long ones up.
            timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_timeout, ceil_threshold=math.inf),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(send_once,),
            trust_env=False,
        )
        return self._session

    # -- what an answer tells besides its body

    def _hear(self, answer: Response, sent: int) -> None:
        headers = answer.headers
        # A cache hands on the Date of long ago, and says so by an Age.
        if "Date" in headers and headers.get("Age", "0") == "0":
            self.server_clock.sample_date(headers["Date"], sent, self._clock.now())
        if self._budget is not None and answer.status >= 400:
            seconds = self._retry_after(answer)
            if seconds is not None:
                self._budget.pause(seconds)
        if self._on_response is not None:
            try:
                self._on_response(answer.status, headers)
            except Exception as error:  # noqa: BLE001 - an order that was accepted must not look as if it failed
                _log.error("the hook for answers failed; the answer counts", exc_info=error)

    def _retry_after(self, answer: Response) -> float | None:
        text = answer.headers.get("Retry-After", "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
            return float(text)
        until = _http_date(text)
        if until is not None:
            return max(0.0, (until - self.server_clock.now()) / SECOND)
        return _DEFAULT_PAUSE if answer.status == 429 else None

    def _refusal(self, answer: Response, what: str) -> Exception:
        if answer.status < 400:
            return WireError(f"{what}: the server answers {answer.status}, a redirect, which is not followed")
        try:
            return self._error_of(answer.status, answer.body, answer.headers)
        except Exception as error:  # noqa: BLE001 - a page in place of JSON, for example; the status is what remains
            return ExchangeError(
                f"{what}: the server answers {answer.status} with {len(answer.body)} bytes that cannot be read "
                f"({type(error).__name__})"
            )


# -- shared with the websocket


def verified(tls: ssl.SSLContext | None) -> ssl.SSLContext:
    """A context that verifies: the one handed in, which may name another authority, or the default."""
    if tls is None:
        return ssl.create_default_context()
    if tls.verify_mode is not ssl.CERT_REQUIRED or not tls.check_hostname:
        raise ConfigError("TLS without verification is refused; to trust a server of your own, load its authority")
    return tls


async def send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from sending GET, PUT and DELETE again by itself when a kept connection turns out to be gone.

    The first one may have arrived: the second would be an amendment on top, and a call that no budget counted.
    """
    try:
        return await handler(request)
    except aiohttp.ClientError as error:
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            raise
        failure = WireFailure.of(error)
    raise failure


class WireFailure(Exception):
    """What the wire did, in words that hold no header: inside `net` only, and no aiohttp error, so it is passed on."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent

    @classmethod
    def of(cls, error: Exception) -> WireFailure:
        return cls(reason_of(error), sent=not isinstance(error, aiohttp.ClientConnectorError))

    def error(self, what: str) -> RequestDisconnected:
        outcome = "it may have arrived" if self.sent else "it was not sent"
        return RequestDisconnected(f"{what}: {self.reason}; {outcome}", sent=self.sent)


def reason_of(error: BaseException) -> str:
    """What went wrong on the wire, in words; never the error's own text where that may hold a header."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "the server's certificate is not trusted"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the server's name cannot be resolved"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection ({error.os_error.strerror or type(error.os_error).__name__})"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off"
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"the server answers {error.status} in place of a websocket"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is not HTTP"
    if isinstance(error, OSError) and error.strerror:
        return f"the connection failed ({error.strerror})"
    return f"the connection failed ({type(error).__name__})"


# -- targets


def _split(base_url: str) -> tuple[str, str]:
    """Origin and path prefix."""
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f'"{base_url}" is not the address of a server; write it as https://host or https://host/path')
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError("the address of a server takes no user, password, query or fragment")
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")


def _target(path: str, params: Params | str | None) -> str:
    """Path and query as they are signed and sent; nothing encodes them again."""
    query = params if isinstance(params, str) else _query(params or {})
    target = f"{path}{'&' if '?' in path else '?'}{query}" if query else path
    if not _TARGET.fullmatch(target) or "#" in target:
        raise ValueError("a request's path begins with / and holds printable ASCII only; put the rest into params")
    return target


def _query(params: Params) -> str:
    for name, value in params.items():
        # A float would be written as Python likes it, 1e-08 for one; True as a word that only Python spells so.
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise TypeError(f"parameter {name} must be a text or a whole number, not {type(value).__name__}")
    return urlencode(params, quote_via=quote, safe="")
