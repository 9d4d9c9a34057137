"""Puts the strategies of a plan at their desks: trader, markets, state, logger, and their seats at the router."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from hbkit.agenda import Scheduler
from hbkit.chance import Chance
from hbkit.clock import Clock
from hbkit.data.journal import Journal
from hbkit.errors import StrategyError
from hbkit.exchange import Channel, Exchange
from hbkit.log import get_logger
from hbkit.model import Instrument, Leg, Order, Position, PositionSide
from hbkit.run.alerts import Alerts
from hbkit.run.plan import Plan, StrategyPlan
from hbkit.run.reporting import routes
from hbkit.runtime.host import Host, told
from hbkit.runtime.kept import KeptState
from hbkit.runtime.router import Router
from hbkit.trading.account import AccountView
from hbkit.trading.ledger import Ledger
from hbkit.trading.pace import Pace
from hbkit.trading.risk import QtyLimits, RiskGate, RiskLimits
from hbkit.trading.sharing import Sharing
from hbkit.trading.strategy import Desk, Strategy, hand_over, set_params, warmup_of
from hbkit.trading.trader import Trader
from hbkit.trading.view import MarketView


def made(plan: Plan) -> list[Strategy]:
    """The strategies' objects. Their `__init__` is user code: it runs before anything of the run exists."""
    return [_made(one) for one in plan.strategies]


class Desks:
    """The strategies of a run with everything they work with."""

    def __init__(
        self,
        plan: Plan,
        strategies: Sequence[Strategy],
        exchanges: Mapping[str, Exchange],
        router: Router,
        journal: Journal,
        *,
        bot: str,
        numbers: Mapping[str, int],
        chance: Chance,
        clock: Clock,
        scheduler: Scheduler,
        on_failed: Callable[[Host], None],
        alerts: Alerts,
    ) -> None:
        """
        :param bot: the bot's identity, with which its order ids begin: the next run knows its own by it.
        :param numbers: each strategy's number within the bot, by its name, kept over restarts.
        :param on_failed: called when a strategy raised, after it was logged.
        """
        self._plan = plan
        self._exchanges = exchanges
        self._router = router
        self._journal = journal
        self._bot = bot
        self._numbers = numbers
        self._chance = chance
        self._clock = clock
        self._scheduler = scheduler
        self._on_failed = on_failed
        self._alerts = alerts
        self._log = get_logger("hbkit")
        risk = plan.config.settings.risk
        blocks = {name: one.settings.risk for name, one in plan.exchanges.items()}
        limits = RiskLimits(
            risk.max_position, risk.max_order_qty, risk.max_orders_per_minute, risk.max_drawdown,
            {name: QtyLimits(one.max_position, one.max_order_qty) for name, one in blocks.items()},
        )  # fmt: skip
        self._risk = RiskGate(limits)
        self._shared = {
            market: Sharing(market) for one in plan.strategies if one.settings.share for market in one.markets
        }
        self.hosts = [self._host(at, strategy) for at, strategy in enumerate(strategies)]

    def subscribe(self) -> None:
        """Ask the exchanges for what the strategies listen to."""
        ways = routes(self._plan.config.settings.report, self._plan.markets)
        converting = ways.pairs if ways is not None else []
        for plan in self._plan.strategies:
            for market in plan.markets:
                # What nobody listens to is traded all the same, and a pair that is converted by has to have its price.
                told = plan.channels_of(market)
                wanted = told | self._valued_by(market) if not told or market in converting else told
                for channel in sorted(wanted):
                    for interval in plan.intervals if channel is Channel.CANDLE else ("",):
                        self._exchanges[market.exchange].subscribe(market, channel, interval)

    def _valued_by(self, market: Instrument) -> set[Channel]:
        """What tells the worth of a market of which a strategy hears nothing: it is traded all the same."""
        offered = self._exchanges[market.exchange].capabilities.channels
        wanted = (Channel.TRADE,) if market.is_spot else (Channel.MARK, Channel.TRADE)
        return set([channel for channel in wanted if channel in offered][:1])

    def _host(self, at: int, strategy: Strategy) -> Host:
        plan = self._plan.strategies[at]
        own = {market.exchange: self._exchanges[market.exchange] for market in plan.markets}
        prefix = f"{self._bot}-{self._numbers.get(plan.name, at + 1)}-"
        trader = Trader(
            plan.name,
            own,
            journal=self._journal,
            clock=self._clock,
            risk=self._risk,
            prefix=prefix,
            veto=self._alerts.veto,
            tell_refusal=lambda order: self._tell_refusal(host, order),
            blind=self._router.blind,
            last_number=self._journal.last_number(prefix),
            shared={market: self._shared[market] for market in plan.markets if plan.settings.share},
            pace=Pace(plan.settings.max_orders_per_minute),
        )
        host = Host(strategy, trader, keep_going=plan.settings.on_error == "continue", on_failed=self._failed)
        accounts = {name: self._account(exchange) for name, exchange in own.items()}
        views = [
            MarketView(
                market, own[market.exchange], trader, plan.intervals,
                account=accounts[market.exchange], needs=plan.needs,
            )
            for market in plan.markets
        ]
        desk = Desk(
            name=plan.name,
            markets=views,
            trader=trader,
            clock=self._clock,
            scheduler=self._scheduler,
            chance=self._chance.fork(f"strategy/{plan.name}"),
            state=KeptState(self._journal, plan.name),
            log=get_logger(plan.name),
            guard=host.guard,
        )
        host.warmup = plan.warmup
        hand_over(strategy, desk)
        self._plan.plugins.add(strategy, f"strategy {plan.name}")
        self._router.seat(host, views, plan.needs, prefix)
        return host

    def _account(self, exchange: Exchange) -> AccountView:
        return AccountView(exchange, lambda: _positions(self._router.ledgers[exchange.name], exchange))

    def _tell_refusal(self, host: Host, order: Order) -> None:
        """Told like an exchange's refusal: soon, but not from inside the call."""
        now = self._clock.now()
        self._scheduler.at(now, lambda: self._router.refused(host, order, self._clock.now()))

    def _failed(self, host: Host) -> None:
        if host.failures == 1 or host.stopped:
            self._log.error(str(host.failure))
            self._alerts.failed(host)
            cause = host.failure.__cause__ if host.failure is not None else None
            self._log.debug(f"traceback of strategy {host.name}", exc_info=cause)
        self._on_failed(host)


def _made(plan: StrategyPlan) -> Strategy:
    try:
        strategy = plan.cls()
        set_params(strategy, plan.values)
        plan.warmup = warmup_of(strategy)
        return strategy
    except (Exception, SystemExit) as error:
        raise StrategyError(f"strategy {plan.name}: {told(plan.cls, '__init__', None, error)}") from error


def _positions(ledger: Ledger, exchange: Exchange) -> Iterator[Position]:
    for side, leg in ledger.legs:
        if leg.units:
            yield _position(leg, side, exchange)


def _position(leg: Leg, side: PositionSide, exchange: Exchange) -> Position:
    price = exchange.reference_price(leg.instrument)
    profit = leg.unrealized(price) if price is not None else 0
    amount = leg.instrument.settle.amount(profit)
    return Position(leg.instrument, side, leg.instrument.qty(leg.units), leg.entry_price, amount)
