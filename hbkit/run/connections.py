"""Where the exchanges of a run are, and the objects that speak to them.

One simulator is started for all blocks of one venue that do not name their own; paper is a connector that only listens
under an exchange of our own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from itertools import count

from hbkit.agenda import Scheduler
from hbkit.chance import Chance
from hbkit.clock import ShiftedClock
from hbkit.errors import ConfigError, ExchangeError, HbkitError
from hbkit.exchange import Address, Connection, Exchange, Shared, SimulatorOptions
from hbkit.log import Secret, get_logger
from hbkit.matching import Account, Engine
from hbkit.model import Instrument, MarginMode, PositionMode
from hbkit.run.ground import Ground
from hbkit.run.plan import ExchangePlan
from hbkit.simulated import PaperExchange

SIMULATOR_PATIENCE = 30.0
"""Seconds without a simulator after which a run against it ends."""
VENUE_PATIENCE = 3600.0


class Connections:
    """The exchanges of one run, or the one that somebody looks at by hand."""

    def __init__(
        self,
        plans: Mapping[str, ExchangePlan],
        ground: Ground,
        chance: Chance,
        clock: ShiftedClock,
        on_end: Callable[[HbkitError], None],
        *,
        seed: int,
        markets: Sequence[Instrument] = (),
    ) -> None:
        """
        :param clock: the market's time.
        :param on_end: called when an exchange is lost for good.
        :param seed: of a simulator that is started and has none of its own in the config.
        :param markets: what is traded; paper keeps an engine for it.
        """
        self._plans = plans
        self._seed = seed
        self._markets = markets
        self._ground = ground
        self._chance = chance
        self._clock = clock
        self._on_end = on_end
        self._log = get_logger("hbkit")
        self._addresses: dict[str, Address] = {}
        self._shared: dict[tuple[str, str], Shared] = {}

    async def open(self, stack: AsyncExitStack) -> dict[str, Address]:
        """The address of each exchange; simulators that have to be started end with `stack`."""
        found = self._addresses
        started: dict[str, Address] = {}
        for name, one in self._plans.items():
            settings, spec = one.settings, one.spec
            if one.mode == "paper" and one.feed == "simulator" and spec.closed_on and settings.paper.feed is None:
                self._log.info(f"{spec.title} has closed: the paper feed is its simulator's")
            if one.feed != "simulator":
                found[name] = _venue(one)
            elif settings.simulator.url is not None:
                base = settings.simulator.url.rstrip("/")
                rest, websocket = spec.simulator_routes
                found[name] = Address(base + rest, base.replace("http", "ws", 1) + websocket)
            else:
                if spec.simulator not in started:
                    started[spec.simulator] = await stack.enter_async_context(
                        self._ground.simulator(
                            spec, self._options(spec.simulator), self._on_simulator_end, self._latency(spec.simulator)
                        )
                    )
                found[name] = started[spec.simulator]
        return found

    def exchange(self, plan: ExchangePlan, address: Address, scheduler: Scheduler) -> Exchange:
        """The object that the run trades with."""
        connector = self.connector(plan, address, silent=plan.mode == "paper")
        if plan.mode != "paper":
            return connector
        assert plan.model is not None
        ids = count(1)
        engine = Engine(lambda: f"{plan.name}-{next(ids)}")
        account = Account(
            plan.name,
            plan.starting_money,
            engine.reference_price,
            mode=PositionMode(plan.settings.position_mode or PositionMode.ONE_WAY),
            margin_mode=MarginMode(plan.settings.margin.mode) if plan.settings.margin.mode else None,
            leverage=plan.settings.margin.leverage,
        )
        return PaperExchange(
            connector,
            [market for market in self._markets if market.exchange == plan.name],
            plan.model,
            account,
            engine,
            clock=self._clock,
            scheduler=scheduler,
            latency=plan.settings.latency,
        )

    def connector(self, plan: ExchangePlan, address: Address, *, silent: bool) -> Exchange:
        """The object that speaks to the venue.

        :param silent: it only listens: without a key nobody is asked for one.
        """
        spec = plan.spec
        key, secret = _key(plan)
        if (key is None or secret is None) and not silent:
            raise ConfigError(
                f"exchanges.{plan.name} needs api_key and api_secret for mode {plan.mode}; write them as ${{VAR}}",
                code="HB110",
            )
        module, _, name = spec.connector.partition(":")
        connector: Callable[[Connection], Exchange] = getattr(import_module(module), name)
        serves = spec.serves
        account = self._account(plan)
        return connector(
            Connection(
                name=plan.name,
                instruments={symbol: one for symbol, one in plan.instruments.items() if serves is None or serves(one)},
                rest_url=address.rest,
                ws_url=address.websocket,
                api_key=key.reveal() if key is not None else "",
                api_secret=secret or Secret(""),
                clock=self._ground.clock,
                market_clock=self._clock,
                chance=self._chance.fork(f"exchange/{plan.name}"),
                connector=self._ground.connector,
                on_end=self._on_end,
                patience=SIMULATOR_PATIENCE if plan.feed == "simulator" else VENUE_PATIENCE,
                dead_man_switch=self._switch(account),
                shared=self._shared.setdefault(account, Shared()),
                beside=self._ground.beside,
                feed=plan.feed,
                api_passphrase=plan.settings.api_passphrase or Secret(""),
                account_id=plan.settings.account or "",
            )
        )

    def _account(self, plan: ExchangePlan) -> tuple[str, str]:
        """Which account a block trades on: blocks with the same one share its budget and its dead man's switch."""
        key, _ = _key(plan)
        return self._addresses[plan.name].rest or plan.host, key.reveal() if key is not None else plan.name

    def _switch(self, account: tuple[str, str]) -> int | None:
        """The shortest time that a block of the account asks for."""
        blocks = [one for one in self._plans.values() if self._account(one) == account and one.mode != "paper"]
        return min((one.settings.dead_man_switch for one in blocks if one.settings.dead_man_switch), default=None)

    def _options(self, word: str) -> SimulatorOptions:
        """What all blocks of a venue ask of the simulator that they share; none of them contradicts another."""
        blocks = [
            one
            for one in self._plans.values()
            if one.feed == "simulator" and one.spec.simulator == word and one.settings.simulator.url is None
        ]
        asked = [one.settings.simulator for one in blocks]
        accounts = {
            one.settings.api_key.reveal(): one.settings.api_secret
            for one in blocks
            if one.settings.api_key is not None and one.settings.api_secret is not None
        }
        return SimulatorOptions(
            data=next((one.played for one in blocks if one.played), ()),
            state=next((one.state for one in asked if one.state is not None), None),
            start=next((one.start for one in asked if one.start is not None), None),
            speed=float(next((one.speed for one in asked if "speed" in one.model_fields_set), 1)),
            seed=next((one.seed for one in asked if one.seed is not None), self._seed),
            accounts=tuple(accounts.items()),
        )

    def _latency(self, word: str) -> int:
        """Of the orders that are sent there: paper's never are, and its feed is not delayed."""
        blocks = [one for one in self._plans.values() if one.spec.simulator == word and one.mode == "simulator"]
        return next((one.settings.latency for one in blocks if "latency" in one.settings.model_fields_set), 0)

    def _on_simulator_end(self, why: str) -> None:
        self._on_end(ExchangeError(f"{why}; the run cannot go on", code="HB436"))


def _key(plan: ExchangePlan) -> tuple[Secret | None, Secret | None]:
    """Key and secret of a block; where it names none, those that every simulator knows."""
    settings, spec = plan.settings, plan.spec
    if settings.api_key is None and plan.feed == "simulator":
        return Secret(spec.simulator_key[0]), Secret(spec.simulator_key[1])
    return settings.api_key, settings.api_secret


def _venue(plan: ExchangePlan) -> Address:
    """The address of the venue itself; of one that has closed there is none, unless the config gives it."""
    settings, spec = plan.settings, plan.spec
    if plan.is_closed:
        raise ExchangeError(f"{spec.advice} Nothing was sent.", code="HB437")
    return Address((settings.rest_url or spec.rest_url).rstrip("/"), settings.ws_url or spec.ws_url)
