"""The settings of a run, typed and frozen: one class for each block of a config, one field for each key.

A key that is absent, or has nothing behind it, takes its default. Durations and times are nanoseconds here, amounts are
`Decimal`; how they are written is in `hbkit.config.shapes`. What needs two keys at once (names that must be unique or
must exist) is looked at in `hbkit.config.check`, which still has the places.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, field_validator, model_validator

from hbkit.config import shapes
from hbkit.config.node import Scalar
from hbkit.config.shapes import choice
from hbkit.log import Secret

Mode = Literal["simulator", "replay", "paper", "testnet", "live"]
MODES: tuple[Mode, ...] = ("simulator", "replay", "paper", "testnet", "live")

Text = Annotated[str, BeforeValidator(shapes.text)]
Texts = Annotated[tuple[str, ...], BeforeValidator(shapes.texts)]
Name = Annotated[str, BeforeValidator(shapes.name)]
Identifier = Annotated[str, BeforeValidator(shapes.identifier)]
Above = Annotated[Decimal, BeforeValidator(shapes.amount(zero=False))]
AtLeastZero = Annotated[Decimal, BeforeValidator(shapes.amount(zero=True))]
Moment = Annotated[int, BeforeValidator(shapes.moment)]
Duration = Annotated[int, BeforeValidator(shapes.duration(zero=False))]
Delay = Annotated[int, BeforeValidator(shapes.duration(zero=True))]
Seed = Annotated[int, BeforeValidator(shapes.whole(0))]
Count = Annotated[int, BeforeValidator(shapes.whole(1))]
Fraction = Annotated[Decimal, BeforeValidator(shapes.fraction)]
Currency = Annotated[str, BeforeValidator(shapes.currency)]
Switch = Annotated[bool, BeforeValidator(shapes.switch)]
ExchangeName = Annotated[str, BeforeValidator(shapes.exchange_name)]

ModeWord = Annotated[Mode, BeforeValidator(choice(*MODES))]
MarginMode = Annotated[Literal["cross", "isolated"], BeforeValidator(choice("cross", "isolated"))]
PositionModeWord = Annotated[Literal["one_way", "hedge"], BeforeValidator(choice("one_way", "hedge"))]
OnError = Annotated[Literal["stop", "continue"], BeforeValidator(choice("stop", "continue"))]
Durability = Annotated[Literal["process", "power"], BeforeValidator(choice("process", "power"))]
OnExisting = Annotated[
    Literal["refuse", "adopt", "cancel", "ignore"], BeforeValidator(choice("refuse", "adopt", "cancel", "ignore"))
]
FEED_WORDS = ("live", "testnet", "simulator")
SecretText = Annotated[Secret, BeforeValidator(lambda value: Secret(shapes.text(value)))]
Level = Literal["debug", "info", "warning", "error"]
LevelWord = Annotated[Level, BeforeValidator(choice("debug", "info", "warning", "error"))]

Parameter = Scalar | tuple[Scalar, ...]
DataSources = Annotated[tuple[str, ...] | dict[str, tuple[str, ...]], PlainValidator(shapes.data_sources)]
Parameters = Annotated[dict[str, Parameter], PlainValidator(shapes.parameters)]
Intervals = Annotated[tuple[str, ...], BeforeValidator(shapes.intervals)]
Balances = Annotated[dict[Currency, AtLeastZero], BeforeValidator(shapes.mapping)]


def implied_mode(exchange: str) -> Mode | None:
    """The mode that an exchange's name stands for: `bitmex_paper_trade` is paper, `bitmex_testnet` is testnet."""
    if exchange.endswith("_paper_trade"):
        return "paper"
    return "testnet" if exchange.endswith("_testnet") else None


class Section(BaseModel):
    """What all blocks share: frozen, no unknown keys, and a key without a value counts as absent."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_keys(cls, value: object) -> object:
        if isinstance(value, cls):
            return value
        return cls._prepare({key: below for key, below in shapes.mapping(value).items() if below is not None})

    @classmethod
    def _prepare(cls, values: dict[str, Any]) -> dict[str, Any]:
        """A place for a block to fill in what follows from its other keys."""
        return values


class Run(Section):
    """What the run is called, where its record goes, and when it ends by itself."""

    name: Name = "run"
    """Letters, digits, `_`, `-` and `.`, at most 40; the default is the config file's name without its ending."""
    dir: Text = "runs"
    """Folder for the records of runs, from the current folder; default `runs`."""
    duration: Duration | None = None
    """How long to run, written like `60s`; here in nanoseconds. Default None: until stopped."""
    seed: Seed = 0
    """Whole number >= 0 that all randomness of the run comes from; default 0."""


class Margin(Section):
    """How positions are backed on an exchange."""

    mode: MarginMode | None = None
    """`cross` or `isolated`; default None: as the account is set."""
    leverage: Above | None = None
    """Times the position may exceed its margin, a number > 0; default None: as the account is set."""


class Replay(Section):
    """Recorded data for mode `replay`."""

    data: DataSources = ()
    """Files or folders: texts, or for each symbol its texts; default empty."""
    from_ts: Moment | None = Field(default=None, alias="from")
    """First moment, written like `2019-05-28` or `2019-05-28T18:30:00Z`; here in nanoseconds. Default: all there is."""
    to_ts: Moment | None = Field(default=None, alias="to")
    """Moment to stop before, written like `from`; default: all there is."""

    @model_validator(mode="after")
    def _check_order(self) -> Replay:
        if self.from_ts is not None and self.to_ts is not None and self.from_ts >= self.to_ts:
            raise shapes.mismatch("later than from", at=("to",))
        return self


class Simulator(Section):
    """The exchange's own simulator, for mode `simulator`."""

    url: Text | None = None
    """Base of a simulator that runs already, without a path: `http://127.0.0.1:8080`; default None: one is started."""
    data: Texts = ()
    """What it plays: tapes by name, files as PATH or SYMBOL=PATH; default: the plugin's tape."""
    start: Moment | None = None
    """Where in the data it begins, written like `2019-05-29T06:00:00Z`; default: the plugin's choice."""
    speed: Above = Decimal(1)
    """Market seconds per second, a number > 0; default 1."""
    seed: Seed | None = None
    """Seed of what it draws; default None: `run.seed`."""
    state: Text | None = None
    """The file in which its accounts and its market outlive the run; default None: it begins anew with each run."""


class Paper(Section):
    """Where mode `paper` hears of the market."""

    feed: Text | None = None
    """`live`, `testnet`, `simulator`, or what its simulator is to play: a tape's name, PATH or SYMBOL=PATH; default:
    `live`, and the simulator of a venue that has closed."""


class BlockRisk(Section):
    """Limits for the instruments of one exchange, in place of those of the run: units of quantity may differ."""

    max_position: Above | None = None
    """Largest position of each instrument here, in its unit of qty: a number > 0; default None: `risk.max_position`."""
    max_order_qty: Above | None = None
    """Largest quantity of one order here, in its instrument's unit: a number > 0; default: `risk.max_order_qty`."""


class Exchange(Section):
    """One exchange under the name that strategies use for it."""

    mode: ModeWord | None = None
    """Where orders go; default None: what the name implies, else what the plugin prefers."""
    plugin: Text | None = None
    """The plugin's exchange name; default None: the name of the block."""
    position_mode: PositionModeWord | None = None
    """`one_way` or `hedge`; default None: as the account is set."""
    margin: Margin = Margin()
    """Margin mode and leverage."""
    balances: Balances = {}
    """Starting money in simulator, replay and paper: an amount >= 0 for each currency; default: the plugin's."""
    latency: Delay = 0
    """Time a request takes to arrive in replay and paper, and in a simulator under `--virtual`, written like `50ms`;
    here in nanoseconds. Default 0."""
    fill_model: Identifier | None = None
    """How resting orders fill in replay and paper: `queue`, `touch`, `through` or a plugin's; None: the default."""
    replay: Replay = Replay()
    """Recorded data for mode `replay`."""
    simulator: Simulator = Simulator()
    """The simulator for mode `simulator`."""
    paper: Paper = Paper()
    """The feed for mode `paper`."""
    risk: BlockRisk = BlockRisk()
    """Limits for its instruments, in place of the run's."""
    dead_man_switch: Duration | None = None
    """Have the exchange cancel every order of the account, also those of others, when nothing is heard of the bot for
    this long, written like `60s`; here in nanoseconds. Default None: off."""
    api_key: SecretText | None = None
    """The key of the account, best written `${VAR}`; default None: the simulator's own account."""
    api_secret: SecretText | None = None
    """The secret that belongs to the key, best written `${VAR}` or `${file:PATH}`."""
    api_passphrase: SecretText | None = None
    """The passphrase that some venues want with a key, best written `${VAR}`; default None: there is none."""
    account: Text | None = None
    """Id of the account, where a venue wants it with the key; default None: the key's own."""
    rest_url: Text | None = None
    """Base of the REST interface in place of the venue's own, such as `https://host/api/v1`."""
    ws_url: Text | None = None
    """The WebSocket in place of the venue's own, such as `wss://host/realtime`."""


class InstrumentChoice(Section):
    """An instrument that a strategy asks for."""

    exchange: Text | None = None
    """A key of `exchanges`; default None: the strategy's exchange."""
    symbol: Text
    """Native (`XBTUSD`) or unified (`BTC/USD:BTC`)."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if isinstance(value, (dict, cls)):
            return value
        return {"symbol": shapes.text(value, expected="a symbol such as XBTUSD, or {exchange, symbol}")}


class Strategy(Section):
    """One strategy at work: the code, its instruments and its parameters."""

    use: Text
    """An installed name, a file `strategies/market_maker.py`, or a class in one: `path.py:Class`. Required."""
    name: Name = ""
    """Unique in the config, written like `run.name`; the default comes from `use`: the file's stem or the class."""
    exchange: Text = ""
    """A key of `exchanges`; the default is the only one there is."""
    instruments: Annotated[tuple[InstrumentChoice, ...], BeforeValidator(shapes.some_items)]
    """At least one: a symbol, or `{exchange, symbol}` for one on another exchange of the config. Required."""
    params: Parameters = {}
    """The strategy's parameters: a value or a list of values for each name; default empty."""
    candles: Intervals = ()
    """Candle intervals such as `1m`, `5m`, `1h`, `1d`, each once; default empty."""
    max_orders_per_minute: Count = 1000
    """Orders within a minute that are taken for a loop without end, which stops the strategy: a whole number > 0,
    default 1000. Amends and cancels do not count."""
    share: Switch = False
    """`true` to trade instruments that other strategies of this config trade too, which say so as well."""
    on_error: OnError = "stop"
    """What follows an exception in the strategy: `stop` it (the default) or `continue` with the next event."""

    @classmethod
    def _prepare(cls, values: dict[str, Any]) -> dict[str, Any]:
        if "name" not in values and isinstance(values.get("use"), str):
            values["name"] = shapes.derived_name(values["use"], "strategy")
        return values

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The instruments as (exchange, symbol), in the order of the file, each once."""
        return list(dict.fromkeys((chosen.exchange or self.exchange, chosen.symbol) for chosen in self.instruments))


class Risk(Section):
    """Limits that no strategy gets past; each is off unless it is set."""

    max_position: Above | None = None
    """Largest position of each instrument, either way, in its unit of qty: a number > 0."""
    max_order_qty: Above | None = None
    """Largest quantity of one order, in the instrument's unit of qty: a number > 0."""
    max_orders_per_minute: Count | None = None
    """Most orders sent within a minute, all strategies together: a whole number > 0."""
    max_drawdown: Fraction | None = None
    """Loss from the highest equity that ends the run: `5%`, or a fraction in (0, 1]; here a fraction."""


class Report(Section):
    """What the report says of all currencies together."""

    currency: Currency | None = None
    """The currency in which the equity of everything is given as well, by the prices of the run's own pairs; default
    None: each currency by itself."""
    at_par: Annotated[tuple[Currency, ...], BeforeValidator(shapes.texts)] = ()
    """Currencies of which one counts as one of `currency`, such as `[USDT]`; default empty: `USDT` is not `USD`."""

    @model_validator(mode="after")
    def _check_currency(self) -> Report:
        if self.at_par and self.currency is None:
            raise shapes.mismatch("beside a currency: report: {currency: USD, at_par: [USDT]}", at=("at_par",))
        return self


class State(Section):
    """Where the state that survives a restart is kept, and how safely."""

    dir: Text = "state"
    """Folder, from the current folder; default `state`."""
    on_existing: OnExisting = "refuse"
    """What to do about orders that stand on the account at the start, and positions that the bot's own books do not
    explain: `refuse` to start (the default); `adopt`: go on with the bot's own orders, leave others alone, take the
    positions over; `cancel` all orders and take the positions over; or `ignore` both."""
    durability: Durability = "process"
    """What a write survives: the end of the `process` (the default), or a loss of `power`, which is slower."""


class Plugins(Section):
    """Plugins to take in or to leave out."""

    load: Texts = ()
    """Modules or files to load besides what is installed; default empty."""
    block: Texts = ()
    """Names of installed plugins that are not to be loaded; default empty."""


class Notify(Section):
    """Somebody to tell of a run's start, its end, and what goes wrong."""

    use: Text
    """A notifier that an installed plugin or one of `plugins.load` offers. Required."""
    options: Parameters = {}
    """What the notifier wants to know, such as where to send; default empty."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if isinstance(value, (dict, cls)):
            return value
        return {"use": shapes.text(value, expected="the name of a notifier, or {use, options}")}


class Log(Section):
    """How much is told while running."""

    level: LevelWord = "info"
    """`debug`, `info` (the default), `warning` or `error`."""


class Settings(Section):
    """A whole config."""

    exchanges: Annotated[dict[ExchangeName, Exchange], BeforeValidator(shapes.mapping)] = {}
    """The exchanges, each under a name of letters, digits, `_` and `-`, or under a plugin's name such as `ccxt:okx`."""
    strategies: Annotated[tuple[Strategy, ...], BeforeValidator(shapes.items)] = ()
    """The strategies, in the order in which they see each event."""
    risk: Risk = Risk()
    """Limits over all strategies."""
    report: Report = Report()
    """What the report says of all currencies together."""
    run: Run = Run()
    """The run itself."""
    state: State = State()
    """What survives a restart."""
    plugins: Plugins = Plugins()
    """Plugins to load and to leave out."""
    log: Log = Log()
    """How much is told."""
    notify: Annotated[tuple[Notify, ...], BeforeValidator(shapes.items)] = ()
    """Who is told of a start, an end, a failure, a veto and a risk limit; default nobody."""

    @field_validator("exchanges")
    @classmethod
    def _apply_implied_modes(cls, exchanges: dict[str, Exchange]) -> dict[str, Exchange]:
        return {
            name: exchange if exchange.mode else exchange.model_copy(update={"mode": implied_mode(name)})
            for name, exchange in exchanges.items()
        }

    @field_validator("strategies")
    @classmethod
    def _apply_only_exchange(cls, strategies: tuple[Strategy, ...], info: Any) -> tuple[Strategy, ...]:
        names = list(info.data.get("exchanges", {}))
        if len(names) != 1:
            return strategies
        return tuple(
            strategy if strategy.exchange else strategy.model_copy(update={"exchange": names[0]})
            for strategy in strategies
        )
