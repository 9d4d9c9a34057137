"""What a config means, checked to the end before anything starts: exchanges, data, instruments, strategies.

All faults that can be found without a network come out together, each at its place in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hbkit.clock import iso, parse_duration
from hbkit.config import Config
from hbkit.config.settings import FEED_WORDS
from hbkit.config.settings import Exchange as ExchangeSettings
from hbkit.config.settings import Strategy as StrategySettings
from hbkit.data.combined import combine
from hbkit.data.files import FileSource
from hbkit.data.source import Rows, Source, SourceInfo
from hbkit.errors import ConfigError, ExchangeError, Fault, Faults, PluginError, did_you_mean
from hbkit.exchange import Channel, ExchangeSpec
from hbkit.hookspecs import Notifier
from hbkit.matching import FillModel
from hbkit.model import Currency, Instrument
from hbkit.model.symbols import meant
from hbkit.plugins import Plugins, misspelt_hooks
from hbkit.run.company import check_company
from hbkit.run.find import code_hash, find_strategy
from hbkit.run.listing import FOLDER, Asking, ambiguous, by_symbol, instruments_of, unknown
from hbkit.run.needs import REAL, missing_orders, no_mode
from hbkit.run.reporting import lacking
from hbkit.run.terms import check_terms
from hbkit.trading.contract import check_class
from hbkit.trading.feeds import needed
from hbkit.trading.params import bind
from hbkit.trading.strategy import Strategy

DEFAULT_INTERVAL = "1m"
_DATA_SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".gz", ".json")
_ROWS_OF = {
    Channel.TRADE: (Rows.TRADE,),
    Channel.QUOTE: (Rows.QUOTE, Rows.LEVEL),
    Channel.BOOK: (Rows.LEVEL,),
    Channel.MARK: (Rows.MARK,),
    Channel.FUNDING: (Rows.FUNDING,),
    Channel.CANDLE: (Rows.CANDLE, Rows.TRADE),
}


_CONTRACTS_ONLY = frozenset({Channel.MARK, Channel.FUNDING})


@dataclass
class ExchangePlan:
    """One exchange block: its spec, its instruments, and in replay its data."""

    name: str
    settings: ExchangeSettings
    spec: ExchangeSpec
    mode: str
    instruments: dict[str, Instrument] = field(default_factory=dict)
    named: dict[str, Source] = field(default_factory=dict)
    starting_money: dict[Currency, int] = field(default_factory=dict)
    """The balances in minor units."""
    files: list[FileSource] = field(default_factory=list)
    """The part of the data that is in files."""
    source: Source | None = None
    info: SourceInfo | None = None
    fill_model: str = ""
    model: FillModel | None = None

    played: tuple[str, ...] = ()
    """What its simulator is to play, with the paths of files; empty for the plugin's choice."""

    @property
    def feed(self) -> str:
        """Where the market comes from: `data`, `simulator`, `testnet` or `live`."""
        if self.mode == "replay":
            return "data"
        if self.mode == "paper":
            wanted = self.settings.paper.feed or ("simulator" if self.spec.closed_on else "live")
            return wanted if wanted in FEED_WORDS else "simulator"
        return self.mode

    @property
    def is_closed(self) -> bool:
        """Whether it would be asked at hosts of a venue that has closed; a host of one's own needs both addresses."""
        if not self.spec.closed_on or self.feed not in ("live", "testnet"):
            return False
        addresses = (self.settings.rest_url, self.settings.ws_url)
        own = _domain(self.spec.rest_url)
        return None in addresses or any(_domain(one) == own for one in addresses if one and own)

    @property
    def host(self) -> str:
        """Host and port of the venue; its plugin's name where only the connector knows them."""
        home = self.spec.name if self.feed != "testnet" else f"{self.spec.name} testnet"
        return urlsplit(self.settings.rest_url or self.spec.rest_url).netloc or home

    @property
    def listed_at(self) -> tuple[str, str]:
        """Whose instruments are traded, as `ListingRequest.feed`, and the host that the config names for it.

        A venue that has closed lists nothing any more: until the run says so, its simulator's do.
        """
        feed = "simulator" if self.is_closed and self.spec.simulator else self.feed
        if feed in ("live", "testnet"):
            return feed, self.settings.rest_url or ""
        url = self.settings.simulator.url if feed == "simulator" else None
        return feed, url.rstrip("/") + self.spec.simulator_routes[0] if url else ""

    @property
    def outlives_run(self) -> bool:
        """Whether the account is still there, as it was left, when the run has ended."""
        simulator = self.settings.simulator
        return self.mode in ("live", "testnet") or (
            self.mode == "simulator" and (simulator.url is not None or simulator.state is not None)
        )

    @property
    def purse(self) -> str:
        """Whose money is traded: blocks with the same one are one account."""
        if self.mode in ("replay", "paper"):
            return self.name
        key = self.settings.api_key
        place = self.settings.simulator.url or self.settings.rest_url or self.spec.simulator or self.spec.name
        return f"{self.feed} {place} {key.reveal() if key is not None else ''}"

    @property
    def where_from(self) -> str:
        """One line for the report."""
        own = self.settings.simulator.url or "its own simulator"
        market = {"simulator": own, "live": "the exchange", "testnet": "the exchange's testnet"}.get(self.feed, "")
        if self.mode == "paper":
            return f"market of {self.spec.title} from {market}; orders filled by the engine in process"
        return f"market, orders and fills of {self.spec.title} from {market}"

    @property
    def data(self) -> tuple[str, ...] | dict[str, tuple[str, ...]]:
        """What replay plays: the config's, else the plugin's own."""
        return self.settings.replay.data or ((self.spec.default_data,) if self.spec.default_data else ())

    @property
    def balances(self) -> Mapping[str, Decimal]:
        """Starting balances: the config's, else the plugin's."""
        return self.settings.balances or {code: Decimal(text) for code, text in self.spec.starting_balances.items()}


@dataclass
class StrategyPlan:
    """One strategy: its class, its parameters and its markets."""

    name: str
    settings: StrategySettings
    cls: type[Strategy]
    values: dict[str, Any]
    markets: list[Instrument]
    needs: frozenset[Channel]
    intervals: tuple[str, ...]
    warmup: int = 0
    """Candles of each interval that are known before the beginning; the strategy says it once it is made."""
    code: str = ""
    """The beginning of the sha256 of its file, as it was when the run was planned; empty where there is none."""

    def channels_of(self, market: Instrument) -> frozenset[Channel]:
        """What is asked for of one market. Spot has neither mark nor funding: a strategy that hears them of its
        contracts hears nothing of the kind of its spot markets.
        """
        mixed = market.is_spot and not all(one.is_spot for one in self.markets)
        return self.needs - _CONTRACTS_ONLY if mixed else self.needs


@dataclass
class Plan:
    """Everything a run needs to know, already checked."""

    config: Config
    plugins: Plugins
    exchanges: dict[str, ExchangePlan]
    strategies: list[StrategyPlan]
    warnings: list[str]
    notifiers: dict[str, Notifier] = field(default_factory=dict)

    @property
    def markets(self) -> list[Instrument]:
        """Every instrument that a strategy trades, in the order of the config, each once."""
        return list(dict.fromkeys(market for one in self.strategies for market in one.markets))

    def read_data(self) -> Iterator[str]:
        """Read every row of every data file; yields warnings, raises DataError for the first row that is wrong."""
        for exchange in self.exchanges.values():
            for source in exchange.files:
                yield from map(str, source.warnings())


def make_plan(config: Config, plugins: Plugins, mode: str | None = None, *, may_ask: bool = True) -> Plan:
    """Check everything in a config; raises ConfigError with all faults.

    Its exit code is that of an exchange which refused or could not be reached where nothing else is wrong.

    :param mode: `run --mode`, in place of the mode of every exchange block.
    :param may_ask: an exchange whose instruments have to be asked for may be; otherwise what is kept of them has to do.
    """
    return _Planner(config, plugins, mode, may_ask=may_ask).plan()


class _Planner:
    def __init__(self, config: Config, plugins: Plugins, mode: str | None, *, may_ask: bool) -> None:
        self._config = config
        self._plugins = plugins
        self._mode = mode
        self._may_ask = may_ask
        self._faults = Faults(list(config.faults))
        self._of_exchanges: list[Fault] = []
        """Faults that an exchange is the cause of, not the config."""
        self._exchanges: dict[str, ExchangePlan] = {}

    def plan(self) -> Plan:
        settings = self._config.settings
        for at, plugin in enumerate(settings.plugins.load):
            self._load(plugin, "plugins", "load", at)
        if not settings.exchanges:
            self._fault("HB109", "no exchange: write exchanges: {NAME: {}}; `hbkit exchanges` lists the names")
        if not settings.strategies:
            self._fault("HB109", "no strategy: write strategies: [{use: NAME, instruments: [SYMBOL]}]")
        for name, block in settings.exchanges.items():
            self._plan_exchange(name, block)
        strategies = [self._plan_strategy(at, block) for at, block in enumerate(settings.strategies)]
        notifiers = self._plan_notifiers()
        for code, message, at_keys in check_company(list(self._exchanges.values())):
            self._fault(code, message, *at_keys)
        self._check()
        for name in self._exchanges:
            self._plan_data(name, strategies)
        self._check()
        for at, strategy in enumerate(strategies):
            if strategy is not None:
                self._check_feeds(at, strategy)
        self._check_owners([strategy for strategy in strategies if strategy is not None])
        self._check()
        planned = [one for one in strategies if one is not None]
        plan = Plan(self._config, self._plugins, self._exchanges, planned, [], notifiers)
        self._check_report(plan.markets)
        self._check()
        plan.warnings.extend(str(fault) for fault in self._faults.found)
        return plan

    def _check(self) -> None:
        try:
            self._faults.check()
        except ConfigError as error:
            wrong = [fault for fault in error.faults if fault.severity == "error"]
            if all(any(fault is one for one in self._of_exchanges) for fault in wrong):
                error.exit_code = ExchangeError.exit_code
            raise

    def _fault(self, code: str, message: str, *keys: str | int, severity: str = "error") -> None:
        self._faults.found.append(self._config.fault(code, message, *keys, severity=severity))

    def _check_report(self, markets: Sequence[Instrument]) -> None:
        """What cannot be valued in the reporting currency is no fault, unless a limit counts on it."""
        settings = self._config.settings
        needed = settings.risk.max_drawdown is not None
        for reason in lacking(settings.report, markets):
            watched = f"risk.max_drawdown cannot be watched in {settings.report.currency}: " if needed else ""
            severity = "error" if needed else "warning"
            self._fault("HB115", watched + reason, "report", "currency", severity=severity)

    def _adopt(self, error: ConfigError, *keys: str | int) -> None:
        """Take over faults found elsewhere; those without a place get the config's."""
        for fault in error.faults:
            if fault.file is None:
                self._fault(fault.code, fault.message, *keys)
            else:
                self._faults.found.append(fault)

    def _load(self, name: str, *keys: str | int) -> None:
        try:
            self._plugins.load(str(self._config.resolve(name)) if name.endswith(".py") else name)
        except PluginError as error:
            self._adopt(error, *keys)

    def _plan_notifiers(self) -> dict[str, Notifier]:
        """Who is told of alerts, by name; two of one name have a number."""
        found: dict[str, Notifier] = {}
        for at, block in enumerate(self._config.settings.notify):
            keys = ("notify", at)
            try:
                factory = self._plugins.notifier(block.use)
            except PluginError as error:
                self._adopt(error, *keys)
                continue
            if factory is None:
                known = self._plugins.notifiers()
                mend = did_you_mean(block.use, known) if known else "install or load a plugin that offers one"
                self._fault("HB206", f'no notifier "{block.use}"; {mend}', *keys)
                continue
            try:
                notify = factory(**block.options)
                if not callable(notify):
                    raise TypeError(f"it returned {notify!r}, which cannot be called")
            except Exception as error:  # noqa: BLE001 - a guest's code, or options that it does not take
                message = f'notifier "{block.use}" with these options raised {type(error).__name__}: {error}'
                self._fault("HB206", message, *keys)
                continue
            found[block.use if block.use not in found else f"{block.use} {at + 1}"] = notify
        return found

    # -- exchanges

    def _plan_exchange(self, name: str, block: ExchangeSettings) -> None:
        keys = ("exchanges", name, *(("plugin",) if block.plugin else ()))
        try:
            spec = self._plugins.exchange(block.plugin or name)
        except PluginError as error:
            self._adopt(error, *keys)
            return
        mode = self._mode or block.mode or ("simulator" if "simulator" in spec.modes else spec.modes[0])
        if mode not in spec.modes:
            self._fault("HB205", no_mode(spec, mode), "exchanges", name, "mode")
            return
        plan = ExchangePlan(name, block, spec, mode)
        self._check_account_keys(plan)
        plan.played = self._played(plan)
        try:
            if mode == "replay" and not isinstance(plan.data, dict):
                plan.named = {text: self._named(text) for text in plan.data if not _is_file(text)}
            # A tape names its instrument rows; the newest ones serve where nothing does.
            era = next((info.era for info in (source.info() for source in plan.named.values()) if info.era), None)
        except ConfigError as error:
            self._adopt(error, "exchanges", name, "replay", "data")
            return
        try:
            plan.instruments = by_symbol(name, self._instruments(plan, era, *keys))
            plan.starting_money = _starting_money(plan)
        except ExchangeError as error:
            self._fault(error.code, error.message, *keys)
            self._of_exchanges.append(self._faults.found[-1])
            return
        except ConfigError as error:
            self._adopt(error, "exchanges", name, "balances")
            return
        self._exchanges[name] = plan

    def _instruments(self, plan: ExchangePlan, era: str | None, *keys: str | int) -> list[Instrument]:
        spec = plan.spec
        feed, host = plan.listed_at
        if spec.lister and plan.is_closed and feed != "simulator":
            raise ExchangeError(f"{spec.advice} Nothing was sent.", code="HB437")
        asking = Asking(
            may_ask=self._may_ask,
            folder=Path(self._config.settings.state.dir) / FOLDER,
            warn=lambda text: self._fault("HB442", text, *keys, severity="warning"),
        )
        return instruments_of(spec, era, feed=feed, rest_url=host, asking=asking)

    def _check_account_keys(self, plan: ExchangePlan) -> None:
        """What cannot be set on an account of somebody else, and secrets that stand where others read them."""
        block, at = plan.settings, ("exchanges", plan.name)
        if plan.mode not in ("replay", "paper") and block.balances:
            message = f"mode {plan.mode} trades on an account that has its own balances; leave balances out"
            self._fault("HB112", message, *at, "balances")
        if (block.api_key is None) != (block.api_secret is None):
            self._fault("HB110", "api_key and api_secret go together; the other one is missing", *at)
        if block.simulator.url is not None and plan.mode != "simulator" and plan.feed != "simulator":
            self._fault("HB113", f"simulator.url is not used in mode {plan.mode}", *at, "simulator", severity="warning")
        if block.api_passphrase is not None and block.api_key is None:
            self._fault("HB110", "api_passphrase goes with api_key and api_secret; they are missing", *at)
        for key in ("api_secret", "api_passphrase"):
            if getattr(block, key) is not None and self._config.is_in_clear(*at, key):
                message = f"{key} is in the file in clear; write {key}: ${{NAME}} and set it in the environment"
                self._fault("HB111", message, *at, key, severity="warning")

    def _played(self, plan: ExchangePlan) -> tuple[str, ...]:
        """What its simulator is to play, each file as the path that it has from here."""
        block, feed = plan.settings, plan.settings.paper.feed
        if plan.mode == "paper" and feed is not None and feed not in FEED_WORDS:
            at = ("exchanges", plan.name, "paper", "feed")
            known = [*FEED_WORDS, *self._plugins.data_sources()]
            if not plan.spec.simulator:
                message = f"{plan.spec.name} has no simulator that could play {feed}; write feed: live"
                self._fault("HB103", message, *at)
            elif not _is_file(feed) and ":" not in feed and feed not in known:
                self._fault("HB103", f'no feed is called "{feed}"; {did_you_mean(feed, known, what="feeds")}', *at)
            return (self._played_path(feed, *at),)
        at = ("exchanges", plan.name, "simulator", "data")
        return tuple(self._played_path(text, *at) for text in block.simulator.data)

    def _played_path(self, text: str, *at: str) -> str:
        symbol, equals, path = text.rpartition("=")
        if not _is_file(path):
            return text
        found = self._config.resolve(path)
        if not found.exists():
            self._fault("HB500", f"no such file: {found}", *at)
        return f"{symbol}{equals}{found}"

    # -- strategies

    def _plan_strategy(self, at: int, block: StrategySettings) -> StrategyPlan | None:
        keys = ("strategies", at)
        cls: type[Strategy] | None = None
        values: dict[str, Any] = {}
        try:
            cls = find_strategy(block.use, self._config, self._plugins)
        except ConfigError as error:
            self._adopt(error, *keys, "use")
        if cls is not None:
            self._faults.found.extend(check_class(cls))
            for fault in misspelt_hooks(cls):
                self._faults.found.append(replace(fault, message=f"{cls.__name__} {fault.message}"))
            values, problems = bind(cls, cls.params, block.params)
            for name, problem in problems.items():
                self._fault("HB302", problem, *keys, "params", name)
        markets = [
            self._instrument(exchange, symbol, *keys, "instruments", index)
            for index, (exchange, symbol) in enumerate(block.pairs)
        ]
        found = [market for market in markets if market is not None]
        if cls is None or len(found) != len(markets):
            return None
        needs = needed(cls, Strategy)
        if block.candles:
            needs |= {Channel.CANDLE}
        intervals = block.candles or ((DEFAULT_INTERVAL,) if Channel.CANDLE in needs else ())
        # One market may have been named twice, by its native and by its unified symbol.
        return StrategyPlan(
            block.name, block, cls, values, list(dict.fromkeys(found)), needs, intervals, code=code_hash(cls)
        )

    def _instrument(self, exchange: str, symbol: str, *keys: str | int) -> Instrument | None:
        plan = self._exchanges.get(exchange)
        if plan is None:
            return None
        serves = plan.spec.serves
        alike = meant(symbol, plan.instruments.values())
        mine = [one for one in alike if serves is None or serves(one)] or alike
        if len(mine) > 1:
            self._fault("HB401", ambiguous(exchange, symbol, mine), *keys)
            return None
        found = mine[0] if mine else None
        if found is not None and serves is not None and not serves(found):
            kind = "spot" if found.is_spot else "a contract"
            self._fault("HB403", f"{symbol} is {kind}; use the exchange {plan.spec.elsewhere} for it", *keys)
            return None
        if found is None and (gone := _settled(plan.spec, symbol)):
            self._fault("HB402", gone, *keys)
        elif found is None:
            served = [one for one in plan.instruments.values() if serves is None or serves(one)]
            self._fault("HB401", unknown(exchange, symbol, served), *keys)
        return found

    def _check_owners(self, strategies: Sequence[StrategyPlan]) -> None:
        owners: dict[tuple[str, str], tuple[StrategyPlan, Instrument]] = {}
        for at, strategy in enumerate(strategies):
            for market in strategy.markets:
                purse = self._exchanges[market.exchange].purse
                other, theirs = owners.setdefault((purse, market.symbol), (strategy, market))
                if other is strategy:
                    continue
                owned = f"{market.symbol} on {market.exchange} belongs to strategy {other.name} already"
                if theirs is not market:
                    mend = f"{theirs.exchange} is the same account; name one block in both, or give one another api_key"
                elif other.settings.share and strategy.settings.share:
                    continue
                else:
                    mend = (
                        "give each strategy an instrument or an exchange block of its own, or write share: true in both"
                    )
                self._fault("HB108", f"{owned}; {mend}", "strategies", at, "instruments")

    # -- data

    def _plan_data(self, name: str, strategies: Sequence[StrategyPlan | None]) -> None:
        plan = self._exchanges[name]
        wanted = list(
            dict.fromkeys(
                market for one in strategies if one is not None for market in one.markets if market.exchange == name
            )
        )
        for code, message, keys in check_terms(plan.settings, wanted):
            self._fault(code, message, "exchanges", name, *keys)
        if plan.mode == "paper":
            self._choose_fill_model(plan, sizes_known=True)
        if plan.mode != "replay":
            return
        try:
            sources = self._sources(plan, wanted)
            if not sources:
                return
            plan.source = sources[0] if len(sources) == 1 else combine(sources)
            plan.info = plan.source.info()
        except ConfigError as error:
            self._adopt(error, "exchanges", name, "replay", "data")
            return
        for market in wanted:
            if market.symbol not in plan.info.kinds:
                known = ", ".join(plan.info.kinds)
                self._fault(
                    "HB505", f"the data {plan.info.name} has no rows of {market}; it has {known}",
                    "exchanges", name, "replay", "data",
                )  # fmt: skip
        self._check_span(plan)
        self._choose_fill_model(plan, sizes_known=plan.info.sizes_known)

    def _sources(self, plan: ExchangePlan, wanted: Sequence[Instrument]) -> list[Source]:
        data = plan.data
        if not data:
            self._fault(
                "HB500",
                f"{plan.spec.name} brings no recorded data; name a file: replay: {{data: candles.csv}}",
                "exchanges", plan.name,
            )  # fmt: skip
            return []
        if isinstance(data, dict):
            for symbol in data:
                if symbol not in plan.instruments:
                    mend = did_you_mean(symbol, [market.symbol for market in wanted])
                    self._fault(
                        "HB401", f'{plan.name} has no instrument "{symbol}"; {mend}',
                        "exchanges", plan.name, "replay", "data", symbol,
                    )  # fmt: skip
            for symbol, texts in data.items():
                if symbol in plan.instruments:
                    plan.files += self._files(texts, symbol)
        else:
            texts = tuple(text for text in data if _is_file(text))
            plan.files = self._files(texts, wanted[0].symbol if len(wanted) == 1 else None)
        named = [_narrowed(source, [market.symbol for market in wanted]) for source in plan.named.values()]
        return [*named, *plan.files]

    def _files(self, texts: Sequence[str], symbol: str | None) -> list[FileSource]:
        """One source for all files of a kind: trades and fundings of one instrument may stand in files of their own."""
        groups: dict[object, list[Path]] = {}
        for text in texts:
            path = self._config.resolve(text)
            info = FileSource([path], symbol=symbol, name=text).info() if len(texts) > 1 else None
            kind = frozenset().union(*info.kinds.values()) if info is not None else None
            groups.setdefault(kind, []).append(path)
        return [
            FileSource(paths, symbol=symbol, name=", ".join(path.name for path in paths)) for paths in groups.values()
        ]

    def _named(self, name: str) -> Source:
        sources = self._plugins.data_sources()
        if name not in sources:
            mend = did_you_mean(name, sources, what="data sources")
            raise ConfigError(f'no data source "{name}" and no such file; {mend}', code="HB500")
        try:
            source: Source = sources[name](self._config.settings.run.seed)
        except ConfigError:
            raise
        except Exception as error:
            message = f'the data source "{name}" cannot be opened: {type(error).__name__}: {error}'
            raise PluginError(message, code="HB500") from error
        return source

    def _check_span(self, plan: ExchangePlan) -> None:
        assert plan.info is not None
        wanted = plan.settings.replay
        start, end = wanted.from_ts, wanted.to_ts
        if (start is not None and start > plan.info.end) or (end is not None and end <= plan.info.start):
            asked = f"{iso(start) if start is not None else 'the start'}..{iso(end) if end is not None else 'the end'}"
            self._fault(
                "HB503",
                f"data covers {iso(plan.info.start)}..{iso(plan.info.end)}; asked {asked}",
                "exchanges", plan.name, "replay",
            )  # fmt: skip

    def _choose_fill_model(self, plan: ExchangePlan, *, sizes_known: bool) -> None:
        models = self._plugins.fill_models()
        chosen = plan.settings.fill_model
        plan.fill_model = chosen or ("queue" if sizes_known else "through")
        keys = ("exchanges", plan.name, "fill_model")
        if plan.fill_model not in models:
            mend = did_you_mean(plan.fill_model, models, what="fill models")
            self._fault("HB206", f'no fill model "{plan.fill_model}"; {mend}', *keys)
            return
        try:
            plan.model = models[plan.fill_model]()
        except Exception as error:  # noqa: BLE001 - a guest's code: its failure is a fault of the config that names it
            self._fault("HB206", f'fill model "{plan.fill_model}" raised {type(error).__name__}: {error}', *keys)
        if chosen == "queue" and not sizes_known:
            self._fault(
                "HB507",
                "fill_model queue without recorded sizes: nothing is known of the queue, so a resting order fills only "
                "when the market trades beyond its price",
                *keys,
                severity="warning",
            )

    def _check_feeds(self, at: int, strategy: StrategyPlan) -> None:
        """What a strategy listens to must be in the data."""
        for market in strategy.markets:
            info = self._exchanges[market.exchange].info
            if info is None:
                self._check_channels(at, strategy, market)
                continue
            kinds = info.kinds.get(market.symbol, frozenset())
            for channel in sorted(strategy.channels_of(market)):
                if not kinds & set(_ROWS_OF[channel]):
                    self._fault(
                        "HB506",
                        f"{strategy.name} listens to {channel} of {market}, but the data {info.name} has only "
                        f"{', '.join(sorted(kinds))}",
                        "strategies", at, "use",
                    )  # fmt: skip
            if Channel.CANDLE in strategy.needs and Rows.TRADE not in kinds:
                self._check_intervals(at, strategy, market, info.intervals.get(market.symbol, ()))

    def _check_channels(self, at: int, strategy: StrategyPlan, market: Instrument) -> None:
        """What a strategy listens to must be offered by the exchange."""
        plan = self._exchanges[market.exchange]
        if plan.mode == "replay":
            return  # its data is at fault, which has been said
        offered = plan.spec.capabilities
        if plan.mode in REAL:
            self._check_orders(at, strategy, plan)
        for channel in sorted(strategy.channels_of(market) - offered.channels):
            message = f"{strategy.name} listens to {channel}, which {plan.name} does not tell"
            self._fault("HB506", message, "strategies", at, "use")
        if Channel.CANDLE in strategy.needs:
            self._check_intervals(at, strategy, market, offered.candle_intervals)

    def _check_orders(self, at: int, strategy: StrategyPlan, plan: ExchangePlan) -> None:
        """Sorts of orders that the exchange does not have are refused one by one: better known before the first."""
        for _, words, certain in missing_orders(plan.spec, strategy.cls, strategy.values):
            message = f"{strategy.name} uses {words}, which {plan.spec.name} does not have: such orders are refused"
            if certain and not any(fault.message == message for fault in self._faults.found):
                self._fault("HB414", message, "strategies", at, "use", severity="warning")

    def _check_intervals(self, at: int, strategy: StrategyPlan, market: Instrument, native: Sequence[str]) -> None:
        for interval in strategy.intervals:
            wanted = parse_duration(interval)
            if native and not any(wanted % parse_duration(known) == 0 for known in native):
                self._fault(
                    "HB506",
                    f"{strategy.name} needs {interval} candles of {market}, there are {', '.join(native)}; write "
                    f"candles: [{native[0]}] or a multiple of it",
                    "strategies", at, "candles",
                )  # fmt: skip


def _settled(spec: ExchangeSpec, symbol: str) -> str:
    """What is known of an instrument that has gone; empty for none."""
    if not spec.settled:
        return ""
    module, _, function = spec.settled.partition(":")
    told: str = getattr(import_module(module), function)(symbol)
    return told


def _narrowed(source: Source, symbols: Sequence[str]) -> Source:
    """The part of a source that a run needs, where the source can leave the rest out (`only(symbols)`)."""
    only: Callable[[Sequence[str]], Source] | None = getattr(source, "only", None)
    return source if only is None else only(symbols)


def _starting_money(plan: ExchangePlan) -> dict[Currency, int]:
    known = {one.settle.code: one.settle for one in plan.instruments.values()}
    for one in plan.instruments.values():
        if one.is_spot:
            known.setdefault(one.base, one.base_currency)
    money: dict[Currency, int] = {}
    for code, amount in plan.balances.items():
        if code not in known and not plan.settings.balances:
            continue  # the plugin's own list covers instruments of all eras
        if code not in known:
            raise ConfigError(f"{plan.name} has no currency {code}; {did_you_mean(code, known)}", code="HB112")
        money[known[code]] = known[code].minor(amount)
    return money


def _domain(url: str) -> str:
    """The part of the host that belongs to one owner: `www.`, `ws.` and `testnet.` of it are the same venue's."""
    return ".".join((urlsplit(url).hostname or "").split(".")[-2:])


def _is_file(text: str) -> bool:
    return text.endswith(_DATA_SUFFIXES) or "/" in text or "\\" in text
