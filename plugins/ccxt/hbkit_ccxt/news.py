"""News of the account: by ccxt's watches where a venue has them, by asking again and again where it has not.

Nothing here says what news means; it sees to it that there is some, and that a gap is told. A watch that breaks is
the end of certainty: from there on until the venue answers again and every watch is connected anew, the account is
out of reach.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from hbkit.chance import Chance
from hbkit.errors import (
    AuthenticationError,
    ExchangeError,
    HbkitError,
    OrderRejected,
    RateLimited,
    Timeout,
    Unsupported,
)
from hbkit.log import get_logger
from hbkit.net.websocket import Backoff

POLL_SECONDS = 2.0
"""How often open orders are asked for where no stream tells of them, while there are any."""
SLOW_SECONDS = 15.0
"""How often money, and trades that nothing points to, are asked for where no stream tells of them."""
CONNECT_SECONDS = 15.0
_STEP = 0.05

Hear = Callable[[Any], None]
Ask = Callable[[], Coroutine[Any, Any, None]]


class News:
    """The watches and the questions of one account."""

    def __init__(
        self,
        client: Any,
        name: str,
        chance: Chance,
        *,
        probe: Ask,
        on_down: Callable[[str], None],
        on_up: Callable[[], None],
        on_end: Callable[[HbkitError], None],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        """
        :param probe: asks the venue for the account; it raises while the venue cannot be reached.
        :param on_down: the account is out of reach, with the reason.
        :param on_up: it is within reach again, and whatever it tells is heard from here on.
        :param on_end: it is lost for good.
        """
        self._client = client
        self._name = name
        self._probe = probe
        self._on_down = on_down
        self._on_up = on_up
        self._on_end = on_end
        self._start = start
        self._backoff = Backoff(chance, first=0.5, longest=20.0)
        self._fine = asyncio.Event()
        """Set while watches may be asked for."""
        self._fine.set()
        self._is_down = False
        self._broken = False
        """Something broke since the last look."""
        self._watched: set[tuple[str, str | None]] = set()
        self._questions: dict[str, asyncio.Event] = {}
        self._log = get_logger("ccxt")
        self.reconnects = 0

    @property
    def is_down(self) -> bool:
        """Whether the account is out of reach."""
        return self._is_down

    # -- what is wanted

    def watch(self, method: str, symbol: str | None, hear: Hear, instead: Callable[[], None]) -> None:
        """Hand on what a watch tells, as long as there is one.

        :param instead: called when the venue turns the watch down: it has to be asked for then.
        """
        if (method, symbol) not in self._watched:
            self._watched.add((method, symbol))
            self._start(self._follow(method, symbol, hear, instead))

    def ask(self, what: str, question: Ask, seconds: float) -> None:
        """Ask now and then, and soon after `poke(what)`."""
        if what not in self._questions:
            self._questions[what] = asyncio.Event()
            self._start(self._repeat(what, question, seconds))

    def poke(self, what: str) -> None:
        """There is reason to ask now."""
        if (event := self._questions.get(what)) is not None:
            event.set()

    def asks(self, what: str) -> bool:
        """Whether it is asked for now and then."""
        return what in self._questions

    # -- inside

    async def _follow(self, method: str, symbol: str | None, hear: Hear, instead: Callable[[], None]) -> None:
        while True:
            await self._fine.wait()
            try:
                rows = await self._client.call(method, *([symbol] if symbol is not None else []))
            except AuthenticationError as error:
                self._on_end(error)
                return
            except RateLimited as error:
                await asyncio.sleep(max(1.0, error.retry_after))
            except (OrderRejected, Unsupported) as error:
                self._log.warning(
                    "the exchange turned a watch down; it is asked for instead",
                    exchange=self._name,
                    watch=method,
                    reason=error.message,
                )
                self._watched.discard((method, symbol))
                instead()
                return
            except ExchangeError as error:
                self.broke(error.message)
            else:
                hear(rows)

    async def _repeat(self, what: str, question: Ask, seconds: float) -> None:
        event = self._questions[what]
        while True:
            try:
                async with asyncio.timeout(seconds):
                    await event.wait()
            except TimeoutError:
                pass  # it is time
            event.clear()
            await self._fine.wait()
            try:
                await question()
            except AuthenticationError as error:
                self._on_end(error)
                return
            except RateLimited as error:
                await asyncio.sleep(max(1.0, error.retry_after))
            except (OrderRejected, Unsupported) as error:
                self._log.debug(
                    "the exchange turned a question down", exchange=self._name, what=what, reason=error.message
                )
            except ExchangeError as error:
                self.broke(error.message)

    def broke(self, reason: str) -> None:
        """A watch or a question failed: the account is out of reach."""
        self._broken = True
        self._fine.clear()
        if not self._is_down:
            self._is_down = True
            self._on_down(reason)
            self._start(self._mend())

    async def _mend(self) -> None:
        """Wait, ask, let the watches go on, and see whether they are connected."""
        while True:
            await asyncio.sleep(self._backoff.next())
            try:
                await self._probe()
            except AuthenticationError as error:
                self._on_end(error)
                return
            except ExchangeError as error:
                self._log.debug("still out of reach", exchange=self._name, reason=error.message)
                continue
            self._broken = False
            self._fine.set()
            if await self._is_connected():
                self._backoff.reset()
                self._is_down = False
                self.reconnects += 1
                self._on_up()
                return

    async def ready(self) -> None:
        """Wait until every watch is connected for the first time. Raises Timeout when that takes too long."""
        try:
            async with asyncio.timeout(2 * CONNECT_SECONDS):
                while not await self._is_connected():
                    await self._fine.wait()
        except TimeoutError:
            raise Timeout(f"{self._name}: the account's stream did not come up") from None

    async def _is_connected(self) -> bool:
        """Whether every socket is there; False as soon as something breaks again."""
        if not self._watched:
            return True
        loop = asyncio.get_running_loop()
        end = loop.time() + CONNECT_SECONDS
        while loop.time() < end:
            await asyncio.sleep(0)
            if self._broken:
                return False
            if not self._watched:
                return True  # the venue turned every watch down
            sockets = list((self._client.api.clients or {}).values())
            missing = [one.connected for one in sockets if not one.isConnected]
            if sockets and not missing:
                return True
            await (asyncio.wait(missing, timeout=_STEP) if missing else asyncio.sleep(_STEP))
        self._log.debug("no socket in time", exchange=self._name)
        self._fine.clear()
        return False
