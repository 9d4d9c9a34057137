"""One ccxt object made from a Connection: on any running loop, by its clock, over its connector.

    client = Client("okx", connection)
    await client.load()                                   # the venue's clock and markets
    order = await client.call("create_order", "BTC/USDT:USDT", "limit", "buy", 1, 60000, postOnly=True)
    await client.close()

`call` makes one call of ccxt's and raises hbkit's errors only (errors.py): what may have arrived says so by `sent`. It
sends nothing twice and follows no redirect. Texts of errors hold what the venue said and no address, key or signature.

What whoever watches has to know (`await client.call("watch_trades", ...)` in a loop, in a task of one's own):

* A watch raises a WireError when its connection is lost, cannot be made, is silent or closed, and the next one connects
  and subscribes anew (ccxt waits longer and longer before it dials). So on_disconnected belongs to the first error of a
  watch, and on_connected to its first answer afterwards. A peer that is silent is found out within 20 seconds.
* A watch that tells nothing may be right: nothing happens. What a socket cannot know is a subscription that the venue
  has forgotten, or never confirmed, while pings are answered. Compare with a REST answer (a newer last trade, another
  best price) and call `reconnect()`: every watch then raises, and begins anew.
* `heard(url)` says when a socket told something last, pongs among it. A watch that never told anything within some 20 s
  of its beginning was not confirmed.
* Only the newest value of a name is handed on. Lists (trades, orders, my trades) come from ccxt's caches with all that
  is new since the last call (`newUpdates`), as long as it is no more than the cache holds (1000); books and tickers are
  the newest state.
* Cancel the task to end a watch; a CancelledError that comes out of `call` always means that.

ccxt itself sends a second message on a socket, asks for what it lacks, and makes tasks; all of them end with `close`.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp
import ccxt

from hbkit.clock import SECOND, Clock
from hbkit.errors import ConfigError, HbkitError, did_you_mean
from hbkit.exchange import Connection
from hbkit.log import get_logger, hide
from hbkit.net.http import ServerClock, WireFailure, send_once
from hbkit.net.websocket import refuse_redirects
from hbkit_ccxt import bitmex, credentials, errors
from hbkit_ccxt.errors import Request, Story, error_of
from hbkit_ccxt.limits import Throttle
from hbkit_ccxt.sandbox import has_sandbox
from hbkit_ccxt.socket import Socket, adopt
from hbkit_ccxt.urls import redirect

TIMEOUT_SECONDS: Final = 10.0
"""For an answer; a connection has half of it."""
_CLOSE_SECONDS: Final = 5.0
_JUMP: Final = 5 * SECOND
_MAKE_AN_ORDER: Final = ("create_order", "edit_order")
"""An answer to these without an order's id is none: ccxt makes an empty order of whatever it gets."""

_COMPLETED: Final = {"bitmex": bitmex.completed}
"""Classes of ccxt's to which something is added that the venue has."""

_story: ContextVar[Story | None] = ContextVar("story", default=None)
"""The call that the running task is in; ccxt's own tasks inherit it."""


class Client:
    """One account at one venue, through ccxt."""

    def __init__(self, venue: str, connection: Connection, *, feed: str = "live") -> None:
        """
        :param venue: ccxt's id of it, `okx`.
        :param feed: `testnet` for its sandbox.

        Raises ConfigError for a venue that ccxt does not have, or that has no sandbox.
        """
        self.venue = venue
        self._connection = connection
        self.chance = connection.chance.fork("ccxt")
        self.server = ServerClock(connection.clock)
        self._exact = False
        self._throttle: Throttle | None = None
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._closed = False
        self.frames = 0
        """What sockets have told so far, frame by frame."""
        self._log = get_logger("ccxt")
        self.api: Any = _adapted(_class_of(venue), self)(self._settings())
        self._take_key()
        if feed == "testnet":
            self._enter_sandbox()
        redirect(self.api, connection.rest_url, connection.ws_url)

    def __repr__(self) -> str:
        return f"Client({self.venue})"

    # -- what is known

    def has(self, name: str) -> bool | str:
        """ccxt's word on a method (`watchTrades`): True, False or `emulated`."""
        found = self.api.has.get(name)
        return found if isinstance(found, str) else bool(found)

    def server_now(self) -> int:
        """The venue's clock, as far as it is known: ns."""
        return self._connection.clock.now() + self._offset

    def market_now(self) -> int:
        """The market's clock, ns: the venue's, or the simulator's, which may stand elsewhere than the machine's."""
        here = self._connection
        return here.market_clock.now() if here.feed == "simulator" else self.server_now()

    @property
    def clock(self) -> Clock:
        """The machine's."""
        return self._connection.clock

    def heard(self, url: str | None = None) -> float | None:
        """When a socket (None: any) told something last, on the loop's clock; None while there is none."""
        found = [one.heard for one in self._sockets() if url is None or one.url == url]
        return max(found, default=None)

    # -- acting

    async def load(self) -> None:
        """Read the venue's clock and its markets."""
        if self.has("fetchTime"):
            await self.read_time()
        await self.call("load_markets")

    async def read_time(self) -> None:
        """Ask for the venue's clock."""
        clock = self._connection.clock
        sent = clock.now()
        told = await self.call("fetch_time")
        if isinstance(told, (int, float)):
            self.server.sample(round(told * 1_000_000), sent, clock.now())
            self._exact = self.server.samples > 0

    async def call(self, method: str, *args: Any, **params: Any) -> Any:
        """One call of ccxt's by its Python name; `params` are what ccxt calls so.

        Raises hbkit's errors: see errors.py.
        """
        outcome = await self._attempt(method, args, params)
        if isinstance(outcome, _Failed) and isinstance(outcome.error, errors.Expired):
            # It was not looked at. What the answer told of the venue's clock is known now.
            if method != "fetch_time" and self.has("fetchTime"):
                self.server.forget()
                await self.read_time()
            outcome = await self._attempt(method, args, params)
        if isinstance(outcome, _Failed):
            raise outcome.error
        return outcome

    async def reconnect(self) -> None:
        """Let go of every socket: all watches raise, and connect and subscribe anew when they are called again."""
        for one in self._sockets():
            one.let_go("let go of, to begin anew")

    async def close(self) -> None:
        """Let go of everything: when this returns there is no task, no timer and no connection left."""
        if self._closed:
            return
        self._closed = True
        for one in self._sockets():
            # Those that watch get an error, not the CancelledError with which ccxt would end them.
            one.let_go("closed")
        for timer in self._timers:
            timer.cancel()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.api.session = None
        await self.api.close()
        for session in self._sessions.values():
            await session.close()

    # -- the frame with the keys in it: raises nothing of ccxt's

    async def _attempt(self, method: str, args: tuple[Any, ...], params: Mapping[str, Any]) -> Any:
        story = Story(urgent=method.startswith("cancel"))
        token = _story.set(story)
        try:
            call = getattr(self.api, method)
            answer = await (call(*args, params=dict(params)) if params else call(*args))
            if method not in _MAKE_AN_ORDER or answer.get("id"):
                return answer
            failure: BaseException = ccxt.BadResponse("the answer names no order")
        except asyncio.CancelledError:
            if errors.is_cancelled_from_outside():
                raise
            failure = WireFailure("the socket was closed", sent=False)
        except Exception as error:  # noqa: BLE001 - mapped, whatever it is; its text may hold a signed address
            failure = error
        finally:
            _story.reset(token)
        return _Failed(error_of(self.venue, method, failure, story))

    def _settings(self) -> dict[str, Any]:
        return {
            "timeout": round(TIMEOUT_SECONDS * 1000),
            "enableRateLimit": True,
            "newUpdates": True,
            # Its debug lines hold signed headers: this logger has no parent and no handler.
            "logger": _silent(),
            "enableLastHttpResponse": False,
            "enableLastResponseHeaders": False,
            # Ours is closed here, in order; ccxt would wait for its own.
            "timeout_on_exit": 0,
            # The venue's clock is reckoned with once, here.
            "options": {"adjustForTimeDifference": False, "maxRetriesOnFailure": 0},
        }

    def _take_key(self) -> None:
        """Hand over the key, each part under the name that the venue has for it."""
        connection = self._connection
        held = {
            "api_key": connection.api_key,
            "api_secret": connection.api_secret.reveal(),
            "api_passphrase": connection.api_passphrase.reveal(),
            "account": connection.account_id,
        }
        for part, name in credentials.names(self.api.requiredCredentials).items():
            if held[part]:
                hide(held[part])
                setattr(self.api, name, held[part])

    def _enter_sandbox(self) -> None:
        reason = "" if has_sandbox(self.api) else "ccxt knows of none"
        if not reason:
            try:
                self.api.set_sandbox_mode(True)
            except ccxt.BaseError as error:
                reason = errors.text_of(self.venue, error)
        if reason and not (self._connection.rest_url or self._connection.ws_url):
            raise ConfigError(
                f"{self.venue} has no sandbox ({reason}); use mode: paper, or rest_url and ws_url of one of your own",
                code="HB431",
            )

    # -- what the object asks of us

    def milliseconds(self) -> int:
        """What ccxt takes for the time: the venue's, where it is known better than to a second."""
        return self.server_now() // 1_000_000

    @property
    def _offset(self) -> int:
        # A Date header has whole seconds: below that its difference is noise, and a time of day would be made of it.
        return self.server.offset if self._exact or abs(self.server.offset) > SECOND else 0

    def session(self, kind: str = "requests") -> aiohttp.ClientSession:
        """The one session of requests, or that of sockets."""
        if self._closed:
            raise WireFailure("the connection is closed", sent=False)
        if kind not in self._sessions:
            self._sessions[kind] = aiohttp.ClientSession(
                connector=self._connection.connector(), middlewares=(send_once, refuse_redirects), trust_env=False
            )
        return self._sessions[kind]

    async def throttle(self, cost: float | None = None) -> None:
        """Wait for the turn of a request."""
        if self._throttle is None:
            name = f"ccxt {self.venue}"
            self._throttle = self._connection.shared.once(name, lambda: Throttle(self.venue, self.api.rateLimit))
        story = _story.get()
        await self._throttle.take(cost, urgent=story is not None and story.urgent)

    def hear(self, status: int, headers: Mapping[str, str], asked: int) -> None:
        """An answer came: its status, its time, and how long we are asked to wait."""
        lowered = {name.lower(): text for name, text in headers.items()}
        if "date" in lowered and lowered.get("age", "0") == "0":
            self._read_date(lowered["date"], asked)
        story = _story.get()
        if story is not None and story.requests:
            story.requests[-1].status = status
        if self._throttle is not None:
            self._throttle.hear(lowered)
        if status in (418, 429):
            seconds = _seconds(lowered.get("retry-after", ""))
            if story is not None:
                story.retry_after = seconds
            if self._throttle is not None:
                self._throttle.pause(seconds)

    def _read_date(self, text: str, asked: int) -> None:
        told = _date(text)
        if told is not None and not self._exact and abs(told - self.server.now()) > _JUMP:
            # A clock was set: the median of what was measured before would be wrong for a while.
            self.server.forget()
        self.server.sample_date(text, asked, self._connection.clock.now())

    def answer_for(self, task: asyncio.Task[Any] | None) -> None:
        """A task of ccxt's own, that sends on a socket when it is its turn: `close` waits for it, or ends it."""
        if task is not None and task not in self._tasks:
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def own(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task that `close` waits for, or ends."""
        task = asyncio.get_running_loop().create_task(work)
        self.answer_for(task)
        return task

    def later(self, seconds: float, work: Callable[[], Any]) -> asyncio.TimerHandle:
        """A timer that `close` calls off."""
        loop = asyncio.get_running_loop()
        self._timers = {one for one in self._timers if not one.cancelled() and one.when() > loop.time()}
        timer = loop.call_later(seconds, work)
        self._timers.add(timer)
        return timer

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.debug("work of ccxt's ended badly", venue=self.venue, kind=type(error).__name__)

    def _sockets(self) -> list[Socket]:
        return [one for one in (self.api.clients or {}).values() if isinstance(one, Socket)]


class _Failed:
    """An error on its way out of the frame in which it happened."""

    def __init__(self, error: HbkitError) -> None:
        self.error = error


# -- the object


def _class_of(venue: str) -> type:
    """ccxt's class with sockets, or the one without where there are none."""
    for package in ("ccxt.pro", "ccxt.async_support"):
        module = importlib.import_module(package)
        if venue in module.exchanges:
            found: type = getattr(module, venue)
            return _COMPLETED[venue](found) if venue in _COMPLETED else found
    mend = did_you_mean(venue, ccxt.exchanges, what="it knows")
    raise ConfigError(f'ccxt {ccxt.__version__} has no exchange "{venue}"; {mend}', code="HB404")


def _adapted(base: Any, client: Client) -> type:
    """A class for one object: where ccxt would look around for itself, it asks the client."""

    class Adapted(base):  # type: ignore[misc]
        """The venue's class, with the time, the network and the tasks of a Connection."""

        def milliseconds(self) -> int:
            return client.milliseconds()

        def seconds(self) -> int:
            return client.milliseconds() // 1000

        def microseconds(self) -> int:
            return client.server_now() // 1000

        def uuid(self) -> str:
            return client.chance.guid()

        def uuid16(self, length: int = 16) -> str:
            return f"{client.chance.getrandbits(4 * length):0{length}x}"

        def uuid22(self, length: int = 22) -> str:
            return self.uuid16(length)

        def open(self, lazy: bool = False) -> None:
            del lazy
            self.asyncio_loop = asyncio.get_running_loop()
            self.session = client.session()

        async def throttle(self, cost: float | None = None) -> None:
            await client.throttle(cost)

        async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            story = _story.get()
            request = Request(method)
            if story is not None:
                story.requests.append(request)
            self._asked = client.clock.now()
            try:
                answer = await super().fetch(url, method, headers, body)
            except BaseException as error:
                request.arrived = not errors.never_left(error)
                raise
            request.arrived = True
            return answer

        def on_rest_response(self, *answer: Any) -> Any:
            status, headers = answer[0], answer[4]
            client.hear(status, headers, self._asked)
            return super().on_rest_response(*answer)

        def client(self, url: str) -> Any:
            made = super().client(url)
            if isinstance(made, Socket):
                return made
            return adopt(made, client, self._throttle_socket)

        async def _throttle_socket(self, cost: float) -> None:
            # Messages on a socket have limits of their own, which ccxt knows no costs of: they take part in the same.
            client.answer_for(asyncio.current_task())
            await client.throttle(cost)

        def spawn(self, method: Callable[..., Any], *args: Any) -> Any:
            return client.own(method(*args))

        def delay(self, timeout: float, method: Callable[..., Any], *args: Any) -> Any:
            return client.later(timeout / 1000, lambda: self.spawn(method, *args))

    Adapted.__name__ = Adapted.__qualname__ = base.__name__
    return Adapted


def _silent() -> logging.Logger:
    logger = logging.Logger("ccxt", logging.CRITICAL + 1)
    logger.addHandler(logging.NullHandler())
    return logger


def _date(text: str) -> int | None:
    try:
        return round(parsedate_to_datetime(text).timestamp()) * SECOND
    except (ValueError, OverflowError):
        return None


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 1.0
