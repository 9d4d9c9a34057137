"""THE connector contract: what an exchange plugin fills in, and what it calls back.

An exchange is a small class. Its acting methods (`submit`, `amend`, `cancel`) are plain calls that return at once; what
became of them comes back through the `Listener`, called directly and synchronously from the frame handler, in the
order in which things happened. What an exchange does not declare in its `Capabilities` is refused before it reaches
the wire.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from hbkit.chance import Chance
from hbkit.clock import Clock, WallClock
from hbkit.errors import HbkitError
from hbkit.log import Secret
from hbkit.model.balance import Wallet
from hbkit.model.book import OrderBook
from hbkit.model.enums import MarginMode, OrderType, PositionMode, PositionSide, TriggerBy
from hbkit.model.instrument import Instrument
from hbkit.model.market import Candle, Funding, Mark, Quote, Trade
from hbkit.model.order import Execution, OrderReport, OrderRequest
from hbkit.model.position import PositionModeChange

if TYPE_CHECKING:
    from hbkit.background import Beside, Main

T = TypeVar("T")


def _on_this_loop(main: Main, name: str) -> Beside:
    """A task of the running loop; asyncio is loaded here because specs of exchanges are read without it."""
    from hbkit.background import TaskBeside

    return TaskBeside(main, name)


class Channel(StrEnum):
    """The market data that can be subscribed to, one instrument at a time."""

    TRADE = "trade"
    QUOTE = "quote"
    BOOK = "book"
    CANDLE = "candle"
    MARK = "mark"
    FUNDING = "funding"


class Listener(Protocol):
    """Who is told. Every method is called synchronously and must not block."""

    def on_trade(self, trade: Trade) -> None:
        """A public trade."""

    def on_quote(self, quote: Quote) -> None:
        """The best bid or ask changed."""

    def on_book(self, book: OrderBook) -> None:
        """The book changed; it is the exchange's own object, valid until the next change, never crossed."""

    def on_candle(self, candle: Candle) -> None:
        """An interval closed."""

    def on_mark(self, mark: Mark) -> None:
        """The mark price or the index changed."""

    def on_funding(self, funding: Funding) -> None:
        """A funding took place; the executions behind `amount` came before it."""

    def on_order(self, report: OrderReport) -> None:
        """News of an order of ours."""

    def on_fill(self, execution: Execution) -> None:
        """An execution of ours; may be repeated, its id tells."""

    def on_balance(self, wallet: Wallet) -> None:
        """One currency of the account changed."""

    def on_position_mode(self, change: PositionModeChange) -> None:
        """The account's position mode changed, or a change was refused."""

    def on_connected(self, exchange: str) -> None:
        """The exchange is ready, for the first time or again."""

    def on_disconnected(self, exchange: str) -> None:
        """The exchange is out of reach; nothing said before is certain any more."""


class Holding(NamedTuple):
    """A position as the exchange books it: signed units and signed cost."""

    instrument: Instrument
    side: PositionSide
    units: int
    cost: int


class Shared:
    """What the connections of one account at one venue have in common: what may exist only once, and who they are.

    Two blocks of a config with the same key are one account: one budget of requests, one dead man's switch.
    """

    def __init__(self) -> None:
        self._things: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], T]) -> T:
        """The thing of that name, made by whoever asks first."""
        if name not in self._things:
            self._things[name] = make()
        thing: T = self._things[name]
        return thing


@dataclass(frozen=True)
class Connection:
    """What a connector is handed to reach its venue; nothing of it is looked up elsewhere."""

    name: str
    """The key of the block in the config."""
    instruments: Mapping[str, Instrument]
    rest_url: str
    ws_url: str
    api_key: str
    api_secret: Secret
    clock: Clock
    """The machine's, by which requests are signed."""
    market_clock: Clock
    """The market's, which runs ahead of the machine's where the venue is a simulator."""
    chance: Chance
    connector: Callable[[], Any]
    """Makes an aiohttp connector: TCP, or in memory under virtual time."""
    on_end: Callable[[HbkitError], None]
    """Called when the connection is lost for good."""
    dead_man_switch: int | None = None
    """The venue cancels every order when nothing was heard for this long, ns; None for off."""
    shared: Shared = field(default_factory=Shared)
    beside: Callable[[Main, str], Beside] = _on_this_loop
    """Runs a coroutine beside the main line, on a thread of its own where time is real."""
    patience: float | None = None
    """Seconds without a connection after which it is lost for good; None for never."""
    feed: str = "live"
    """Which of its sides is meant: `live`, `testnet` (a sandbox) or `simulator`."""
    api_passphrase: Secret = field(default_factory=lambda: Secret(""))
    """What some venues want with every key, chosen by whoever made it."""
    account_id: str = ""
    """The account that the config names, for venues whose keys say it in their requests (ccxt's `uid`)."""


@dataclass(frozen=True)
class Prompt:
    """Something that `hbkit connect` asks for, as `Enter your <exchange> <words> >>>`."""

    field: str
    """`api_key`, `api_secret`, `api_passphrase`, `account` as in a config, or a name that only the verifier knows."""
    words: str
    hidden: bool = False
    """It is not shown while it is typed."""
    optional: bool = False
    """It may be left empty."""


@dataclass(frozen=True)
class VerifiedKey:
    """What the venue said of a key."""

    account: str
    permissions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What its owner should know, sentence by sentence."""


@dataclass(frozen=True)
class SimulatorOptions:
    """How a venue's own simulator is to be started."""

    data: tuple[str, ...] = ()
    """Tapes or files to play; empty for the plugin's own."""
    start: int | None = None
    """Where in the data it begins, ns; None for the plugin's choice."""
    speed: float = 1.0
    seed: int = 1
    latency: int = 0
    """What a request that changes an order needs on its way there, ns."""
    state: str | None = None
    """The file in which everything outlives the process; None to begin anew each time."""
    accounts: tuple[tuple[str, Secret], ...] = ()
    """Key and secret of accounts besides the one that every simulator knows."""


@dataclass(frozen=True)
class Address:
    """Where a venue listens: the base of its REST interface, and its WebSocket."""

    rest: str
    websocket: str


@dataclass(frozen=True)
class Capabilities:
    """What an exchange can do; the trader refuses the rest with a clear error before it reaches the wire."""

    channels: frozenset[Channel] = frozenset()
    candle_intervals: tuple[str, ...] = ()
    """Native intervals; others are put together from these."""
    book_depth: int = 0
    """How many levels a side of the book are told, ours among them; 0 for all."""
    post_only: bool = False
    reduce_only: bool = False
    time_in_force: frozenset[str] = frozenset({"gtc"})
    amend: bool = False
    triggers: bool = False
    display_qty: bool = False
    hedge_mode: bool = False
    leverage: bool = False

    def lacking(self, request: OrderRequest) -> str:
        """What an order asks for that is not among this, in words; empty when nothing is."""
        asked = {
            "post_only": request.post_only,
            "reduce_only": request.reduce_only,
            "triggers": request.waits,
            "display_qty": request.display_units is not None,
            "hedge_mode": request.position_side is not PositionSide.NET,
        }
        found = [name for name, is_asked in asked.items() if is_asked and not getattr(self, name)]
        rests = request.type is OrderType.LIMIT or request.waits
        if rests and request.time_in_force not in self.time_in_force:
            found.append(f"time_in_force {request.time_in_force}")
        return ", ".join(found)


def no_legs(instruments: Iterable[Instrument]) -> str:
    """Why hedge mode is refused where only these are traded: the text of a refusal."""
    capped = [one.symbol for one in instruments if not one.is_spot]
    if not capped:
        return "spot has no positions to hedge"
    return f"{', '.join(capped)} {'is' if len(capped) == 1 else 'are'} capped: hedge mode does not apply"


class Exchange(ABC):
    """One account at one exchange."""

    name: str
    """The key of its block in the config."""
    account: str = ""
    """The account's id at the venue, once it is known."""
    events: int = 0
    """What the venue has told so far, message by message."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this exchange can do."""

    def connect(self, listener: Listener) -> None:
        """Begin to tell `listener`; after `listener.on_connected` the exchange takes orders."""
        raise NotImplementedError(f"{self.name} has a network: await open({listener}) instead")

    def close(self) -> None:
        """Let go of everything; nothing is told afterwards."""
        raise NotImplementedError(f"{self.name} has a network: await shut() instead")

    @abstractmethod
    def instruments(self) -> Mapping[str, Instrument]:
        """Every instrument by its native symbol."""

    @abstractmethod
    def wallets(self) -> Sequence[Wallet]:
        """The account's money as the exchange books it, one entry a currency."""

    def transfers(self) -> Mapping[str, int]:
        """Paid in less paid out since whenever the exchange began to count, minor units per currency code.

        Only the difference between two moments means something; a currency that is left out did not move.
        """
        return {}

    @property
    @abstractmethod
    def position_mode(self) -> PositionMode:
        """The mode in force."""

    @abstractmethod
    def reference_price(self, instrument: Instrument) -> float | None:
        """The price positions are valued at now: the mark, else the last trade, else the middle of the book."""

    def last_price(self, instrument: Instrument) -> float | None:
        """The price of the last trade, for charts; the reference price where none is known."""
        return self.reference_price(instrument)

    def present_price(self, instrument: Instrument, by: TriggerBy) -> float | None:
        """The price that triggers by `by` look at now; None while it is not known."""
        if by is TriggerBy.INDEX:
            return None
        return self.last_price(instrument) if by is TriggerBy.LAST else self.reference_price(instrument)

    def trigger_prices(self, instrument: Instrument) -> frozenset[TriggerBy]:
        """The prices that a trigger of `instrument` may look at."""
        return frozenset({TriggerBy.LAST} if instrument.is_spot else {TriggerBy.MARK, TriggerBy.LAST})

    @abstractmethod
    def subscribe(self, instrument: Instrument, channel: Channel, interval: str = "") -> None:
        """Ask for a channel; `interval` (`1m`) goes with candles."""

    @abstractmethod
    def submit(self, request: OrderRequest) -> None:
        """Place an order; answered through `on_order` and `on_fill`.

        What `capabilities.lacking(request)` names is refused, through `on_order` or by raising Unsupported.
        """

    @abstractmethod
    def amend(
        self,
        order_id: str,
        *,
        ticks: int | None = None,
        units: int | None = None,
        trigger_ticks: int | None = None,
    ) -> None:
        """Change price or total quantity of an open order, or its trigger; answered through `on_order`."""

    @abstractmethod
    def cancel(self, order_id: str) -> None:
        """Take an open order away, by our id or by the exchange's; answered through `on_order`."""

    # -- what an exchange with a network adds; the others have nothing to wait for

    async def open(self, listener: Listener) -> None:
        """Connect, log in, wait for the account's tables; afterwards the exchange takes orders and answers questions.

        Raises AuthenticationError, WireError or another ExchangeError with the mend when it cannot.
        """
        self.connect(listener)

    async def shut(self) -> None:
        """Let go of everything; every task and socket of the exchange has ended when this returns."""
        self.close()

    @property
    def is_up(self) -> bool:
        """Whether the venue can be reached at the moment, as far as that is known."""
        return True

    @property
    def purse(self) -> str:
        """Whose money `wallets` tells: exchanges with the same purse share one account."""
        return self.name

    async def refresh(self) -> None:  # noqa: B027 - an account that is kept here needs no asking
        """Ask for the account's money; afterwards `wallets` is what the exchange books at this moment."""

    def keep_alive(self, seconds: float) -> None:
        """Have every order cancelled unless this is called again within `seconds`; 0 calls it off."""
        raise NotImplementedError(f"{self.name} has no dead man's switch ({seconds:g} s)")

    async def candles(self, instrument: Instrument, interval: str, start: int, end: int) -> list[Candle]:
        """Closed candles that open at `start` or later and close at `end` or earlier, oldest first; times in ns."""
        raise NotImplementedError(f"{self.name} has no history of {interval} candles of {instrument} ({start}..{end})")

    async def listed(self) -> list[str]:
        """Native symbols that the exchange lists now, also those that hbkit does not know or this name does not serve.

        What is not listed has no book and takes no orders, although its instrument is known.
        """
        return list(self.instruments())

    def health(self) -> dict[str, str]:
        """What an operator wants to see of the connection: rate budget, clock offset, reconnects, as texts."""
        return {}

    async def cancel_every_order(self) -> None:
        """Take every open order of the account away, also those of others."""
        raise NotImplementedError(f"{self.name} cannot cancel every order")

    def server_now(self) -> int:
        """The exchange's own clock, as far as it is known: ns."""
        raise NotImplementedError(f"{self.name} has no clock of its own")

    async def open_orders(self) -> list[OrderReport]:
        """Every open order of the account, also those of others; `id` is empty for one without a client order id."""
        raise NotImplementedError(f"{self.name} cannot list open orders")

    async def executions_since(self, ts: int) -> list[Execution]:
        """Every execution of the account with a time of at least `ts`, oldest first."""
        raise NotImplementedError(f"{self.name} cannot list executions")

    async def find(self, order_id: str) -> OrderReport | None:
        """An order by our id, looked for among orders and executions; None when the exchange has never seen it."""
        raise NotImplementedError(f"{self.name} cannot look up order {order_id}")

    async def positions(self) -> list[Holding]:
        """Every position of the account that is not flat."""
        raise NotImplementedError(f"{self.name} cannot list positions")

    def set_position_mode(self, mode: PositionMode) -> None:
        """Ask for another position mode; answered through `on_position_mode`."""
        raise NotImplementedError(f"{self.name} cannot switch to {mode}")

    def set_leverage(self, instrument: Instrument, leverage: float, side: PositionSide = PositionSide.NET) -> None:
        """Ask for a leverage in the margin mode in force; 0 means cross margin and the highest leverage there is.

        In hedge mode `NET` stands for both legs. What the exchange refuses is logged as a warning.
        """
        raise NotImplementedError(f"{self.name} cannot set a leverage of {leverage} for {instrument} {side}")

    def set_margin_mode(
        self, instrument: Instrument, mode: MarginMode, side: PositionSide = PositionSide.NET
    ) -> None:
        """Ask for cross or isolated margin, at the leverage that was last used in that mode; as `set_leverage`."""
        raise NotImplementedError(f"{self.name} cannot set {mode} margin for {instrument} {side}")

    def transfer_margin(self, instrument: Instrument, amount: int, side: PositionSide = PositionSide.NET) -> None:
        """Add margin to an isolated position (minor units), or take added margin away (negative)."""
        raise NotImplementedError(f"{self.name} cannot move {amount} to the margin of {instrument} {side}")

    def set_risk_limit(self, instrument: Instrument, limit: int, side: PositionSide = PositionSide.NET) -> None:
        """Ask for another risk limit (minor units): larger positions may be held, at higher margin rates."""
        raise NotImplementedError(f"{self.name} cannot set a risk limit of {limit} for {instrument} {side}")

    async def prepare(  # noqa: B027 - an account that is kept here was made that way
        self,
        instruments: Sequence[Instrument],
        *,
        position_mode: PositionMode | None,
        margin_mode: MarginMode | None,
        leverage: Decimal | None,
    ) -> None:
        """Bring the account to the modes that a config asks for, before anything is traded.

        None leaves things as they are. Raises an ExchangeError with the exchange's reason where it cannot be done.
        """


def unheard(text: str) -> None:
    """Where nobody is there to be warned."""
    del text


@dataclass(frozen=True)
class ListingRequest:
    """How the lister of an exchange is asked for its instruments, when a config is checked or a command begins."""

    name: str
    """The spec's name."""
    feed: str
    """Whose instruments: `live`, `testnet`, `simulator` (those of the exchange's own one, made without asking anybody)
    or `data` (recorded: any list will do)."""
    rest_url: str = ""
    """Base of the REST interface where the config names another than the venue's own."""
    may_ask: bool = True
    """Whether the exchange may be asked; False where nothing is to be sent."""
    folder: Path = Path("state") / "markets"
    """Where what was told is kept, as a file for each name and feed; it may not be there yet."""
    max_age: int | None = None
    """A kept list that is older is asked for again, ns; 0 for one that is asked now; None where any age will do. When
    the exchange cannot be reached, an older one serves, with a warning that says how old it is."""
    era: str | None = None
    """The era that the data of a replay names; None for the newest."""
    clock: Clock = field(default_factory=WallClock)
    """By which the age is told."""
    warn: Callable[[str], None] = unheard
    """Takes what the user should know beside the list, sentence by sentence."""

    @property
    def file_stem(self) -> str:
        """A file name without its ending for this name and feed: `ccxt+okx.live`."""
        return f"{self.name.replace(':', '+')}.{self.feed}"


@dataclass(frozen=True)
class ExchangeSpec:
    """What a plugin says of an exchange before any of its code that does I/O is loaded.

    The texts `module:attribute` are imported only when the thing is needed, so listing exchanges loads no aiohttp.
    """

    name: str
    title: str
    instruments: str = ""
    """`module:function` taking the era (None for the newest) and returning a list of Instrument."""
    lister: str = ""
    """`module:function` of an exchange that has to be asked for its instruments, in place of `instruments`: takes a
    ListingRequest and returns a list of Instrument, their `exchange` empty. A plain function, also inside a running
    loop. Raises ExchangeError with the mend where they are neither kept nor may be asked for."""
    default_data: str = ""
    """Name of the data source that replay uses when the config names none."""
    modes: tuple[str, ...] = ("replay",)
    capabilities: Capabilities = field(default_factory=Capabilities)
    """Of the venue itself; replay and paper offer what the matching engine does."""
    starting_balances: Mapping[str, str] = field(default_factory=dict)
    """Decimal text per currency code, where the config gives no `balances`."""
    connector: str = ""
    """`module:Class` of the Exchange that speaks to the venue; it takes a Connection."""
    rest_url: str = ""
    ws_url: str = ""
    """The venue's own addresses; empty where the connector knows them by itself."""
    simulator: str = ""
    """The word behind `hbkit simulator` that starts the exchange's own simulator."""
    simulator_factory: str = ""
    """`module:function` that serves the simulator on the running loop, at a path instead of a port: takes a
    SimulatorOptions, a Clock, a Chance and the path; an async context manager that yields its Address."""
    simulator_routes: tuple[str, str] = ("", "")
    """Path of the REST interface and of the WebSocket behind the base that `simulator: {url}` names."""
    simulator_key: tuple[str, str] = ("", "")
    """Key and secret of the account that every simulator knows."""
    prompts: tuple[Prompt, ...] = ()
    """What `hbkit connect` asks for, in this order; empty for an exchange that needs no key."""
    verifier: str = ""
    """`module:function` that asks the venue whether a key is good: takes a Connection and the answers by field; a
    coroutine that returns a VerifiedKey or raises an ExchangeError with the mend."""
    connect_help: str = ""
    """Where it is written how to make keys, in a sentence."""
    contract: str = ""
    """`module:Class` of the contract suite (`hbkit.testing.contract`) with the venue that the plugin brings for it."""
    serves: Callable[[Instrument], bool] | None = None
    """Which instruments belong to this name (spot here, perpetuals there); None for all."""
    elsewhere: str = ""
    """The plugin name that serves the other ones."""
    settled: str = ""
    """`module:function` that takes a symbol which is not among the instruments and says since when it is gone and what
    there is in its place; an empty text where nothing is known of it."""
    closed_on: str = ""
    """Date on which the venue closed, and after it the advice to give."""
    advice: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Rows for `hbkit exchanges NAME`."""
    beside: tuple[str, ...] = ()
    """Installed plugins that are loaded with it, such as the one whose data `default_data` names."""


class Bridge(Mapping[str, ExchangeSpec]):
    """The exchanges of a plugin that leads to very many: all names are known, a spec is made when it is asked for.

        Bridge("through library 1.2", lambda: [f"library:{one}" for one in ids()], spec_of)

    `make` may also be asked for a name that is not listed: it raises KeyError where there is nothing of the kind, and
    PluginError where it knows what became of it.
    """

    def __init__(self, title: str, names: Callable[[], Iterable[str]], make: Callable[[str], ExchangeSpec]) -> None:
        """
        :param title: what stands behind the number of exchanges in a list: `through library 1.2`.
        :param names: all of them, each beginning with the same word and a colon; asked once, when somebody wants them.
        :param make: the spec of one name; asked once for each.
        """
        self.title = title
        self._tell = names
        self._make = make
        self._names: tuple[str, ...] | None = None
        self._made: dict[str, ExchangeSpec] = {}

    def __getitem__(self, name: str) -> ExchangeSpec:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._listed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed())

    def __len__(self) -> int:
        return len(self._listed())

    def _listed(self) -> tuple[str, ...]:
        if self._names is None:
            self._names = tuple(self._tell())
        return self._names


Factory = Callable[..., Any]
