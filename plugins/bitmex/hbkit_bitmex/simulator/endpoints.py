"""Every REST route of the venue, once: served, limited, guarded and described from these entries (protocol 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hbkit_bitmex.simulator import (
    explorer,
    leverage,
    modes,
    profile,
    reading,
    reference,
    statistics,
    trading,
    transfers,
)
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.routes import ANY_KEY, CANCEL, ORDER, WITHDRAW, Act, Call, Parameter, Route
from hbkit_bitmex.simulator.venue import Venue

VERSION = "2.0.0"


def _public(rows: Callable[[Venue, Parameters], Any]) -> Act:
    """What answers from the venue and the parameters."""
    return lambda call: rows(call.venue, call.sent)


def _own(act: Callable[[Venue, VenueAccount, Parameters], Any]) -> Act:
    """What answers from, or changes, the account that is logged in."""
    return lambda call: act(call.venue, call.account, call.sent)


def _root(call: Call) -> Any:
    return {"name": "BitMEX API", "version": VERSION, "timestamp": (call.wall + call.skew) // 1_000_000}


def _position_mode(call: Call) -> Any:
    """13.3: the answer is the User row."""
    modes.set_position_mode(call.venue, call.account, call.sent)
    return profile.user(call)


def _cancel_all_after(call: Call) -> Any:
    row = trading.arm_cancel_all(call.account, call.sent.get("timeout"), call.wall, call.skew)
    call.services.watch(call.account)
    return row


# -- parameters that several routes share (4.1)

SYMBOL = Parameter("symbol", text="A symbol, a root such as XBT (its perpetual), or XBT:perpetual; any case.")
THE_SYMBOL = Parameter("symbol", text="A symbol; any case.", required=True)
FILTER = Parameter("filter", "json", "An object: column to value, or to a list of values.")
COLUMNS = Parameter("columns", "json", "An array or a comma list; key columns and timestamp are always there.")
COUNT = Parameter("count", "integer", "How many rows.", default=100)
START = Parameter("start", "integer", "How many rows to leave out first.", default=0)
REVERSE = Parameter("reverse", "boolean", "Newest first.", default=False)
START_TIME = Parameter("startTime", "time", "Rows from here on, inclusive.")
END_TIME = Parameter("endTime", "time", "Rows up to here, inclusive.")
FORMAT = Parameter("_format", text="The form of the answer.", choices=("json", "csv"))
TABLE = (SYMBOL, FILTER, COLUMNS, COUNT, START, REVERSE, START_TIME, END_TIME, FORMAT)
BIN_SIZE = Parameter("binSize", text="The length of a bin.", default="1m", choices=("1m", "5m", "1h", "1d"))
PARTIAL = Parameter("partial", "boolean", "With the bin that is not over yet.", default=False)
CURRENCY = Parameter("currency", text="A minor code such as XBt, or `all`.", default="XBt")
THE_CURRENCY = Parameter("currency", text="A minor code such as XBt.", required=True)
NETWORK = Parameter("network", text="A network such as btc.", required=True)
TEXT = Parameter("text", text="A note.")
ORDER_QTY = Parameter("orderQty", "integer", "Contracts, or minor units of the base currency on spot.")
PRICE = Parameter("price", "number")
STRATEGY = Parameter("strategy", text="The leg, in hedge mode.", choices=("OneWay", "Long", "Short"))
STOP_PX = Parameter("stopPx", "number")
PEG_OFFSET = Parameter("pegOffsetValue", "number")
CLIENT_ID = Parameter("clOrdID", text="Your own id, up to 36 characters.")

MARKET: tuple[Route, ...] = (
    # Some ask for the root with, some without a slash (section 1).
    Route("GET", "", "Root.get", "Name, version and time.", _root),
    Route("GET", "/instrument", "Instrument.get", "Instruments.", _public(reading.instruments), TABLE, "instrument"),
    Route(
        "GET", "/instrument/active", "Instrument.getActive", "Open instruments.",
        _public(reading.active), model="instrument",
    ),
    Route(
        "GET", "/instrument/indices", "Instrument.getIndices", "Indices.",
        _public(reading.indices), model="instrument",
    ),
    Route(
        "GET", "/instrument/activeAndIndices", "Instrument.getActiveAndIndices", "Open instruments and indices.",
        _public(reading.active_and_indices), model="instrument",
    ),
    Route(
        "GET", "/orderBook/L2", "OrderBook.getL2", "The order book.", _public(reading.book),
        (THE_SYMBOL, Parameter("depth", "integer", "Levels a side, 0 for all.", default=25)), "orderBookL2",
    ),
    Route("GET", "/trade", "Trade.get", "Trades.", _public(reading.trades), TABLE, "trade"),
    Route(
        "GET", "/trade/bucketed", "Trade.getBucketed", "Candles, stamped at their end.",
        _public(reading.bucketed), (BIN_SIZE, PARTIAL, *TABLE), "tradeBin1m",
    ),
    Route("GET", "/quote", "Quote.get", "Best bids and asks.", _public(reading.quotes), TABLE, "quote"),
    Route("GET", "/funding", "Funding.get", "Fundings that were paid.", _public(reading.fundings), TABLE, "funding"),
    Route(
        "GET", "/quote/bucketed", "Quote.getBucketed", "Best bids and asks at the end of each bin.",
        _public(reading.quote_bins), (BIN_SIZE, PARTIAL, *TABLE), "quote",
    ),
    Route(
        "GET", "/settlement", "Settlement.get", "Settlements.", _public(reading.settlements), TABLE, "settlement",
    ),
    Route("GET", "/insurance", "Insurance.get", "The insurance fund.", _public(reading.insurance), TABLE, "insurance"),
    Route(
        "GET", "/liquidation", "Liquidation.get", "Liquidations.", _public(reading.liquidations), TABLE, "liquidation",
    ),
    Route(
        "GET", "/instrument/activeIntervals", "Instrument.getActiveIntervals", "Series and the symbols they mean now.",
        _public(reference.active_intervals),
    ),
    Route(
        "GET", "/instrument/compositeIndex", "Instrument.getCompositeIndex", "An index over time.",
        _public(reference.composite_index), TABLE, "compositeIndex",
    ),
    Route(
        "GET", "/instrument/usdVolume", "Instrument.getUsdVolume", "Turnover in dollars per symbol.",
        _public(statistics.usd_volume), (SYMBOL, COLUMNS), "usdVolume",
    ),
    Route("GET", "/stats", "Stats.get", "Volume and open interest per root.", _public(statistics.stats), model="stats"),
    Route(
        "GET", "/stats/history", "Stats.history", "Volume of each day per root.", _public(statistics.history),
        model="statsHistory",
    ),
    Route(
        "GET", "/stats/historyUSD", "Stats.historyUSD", "Turnover in dollars per root.",
        _public(statistics.history_usd), model="statsUSD",
    ),
    Route(
        "GET", "/announcement", "Announcement.get", "Announcements.", _public(reference.announcements), (COLUMNS,),
        "announcement",
    ),
    Route(
        "GET", "/announcement/urgent", "Announcement.getUrgent", "Urgent announcements.", _public(reference.urgent),
        model="announcement",
    ),
    Route(
        "GET", "/schema", "Schema.get", "Keys and types of every row.", _public(reference.schema),
        (Parameter("model", text="One model only."),),
    ),
    Route(
        "GET", "/schema/websocketHelp", "Schema.websocketHelp", "What a socket understands.",
        _public(reference.websocket_help),
    ),
    Route("GET", "/wallet/assets", "Wallet.getAssetsConfig", "Currencies.", _public(reference.assets), model="assets"),
    Route(
        "GET", "/wallet/networks", "Wallet.getNetworksConfig", "Networks of the currencies.",
        _public(reference.networks), model="networks",
    ),
)  # fmt: skip

ORDERS: tuple[Route, ...] = (
    Route("GET", "/order", "Order.getOrders", "Your orders.", _own(reading.orders), TABLE, "order", needs=ANY_KEY),
    Route(
        "POST", "/order", "Order.new", "Place an order.", _own(trading.place),
        (
            THE_SYMBOL, Parameter("side", choices=("Buy", "Sell")), ORDER_QTY, PRICE,
            Parameter("displayQty", "integer"), STOP_PX, CLIENT_ID, Parameter("clOrdLinkID"), PEG_OFFSET,
            Parameter("pegPriceType"), Parameter("ordType"), Parameter("timeInForce"), Parameter("execInst"),
            Parameter("contingencyType"), STRATEGY, Parameter("expiryTime", "time"), TEXT,
        ),
        "order", one=True, needs=ORDER, second=True, shed=True,
    ),
    Route(
        "PUT", "/order", "Order.amend", "Amend an order.", _own(trading.amend),
        (
            Parameter("orderID"), Parameter("origClOrdID"), CLIENT_ID, ORDER_QTY, Parameter("leavesQty", "integer"),
            PRICE, STOP_PX, PEG_OFFSET, TEXT,
        ),
        "order", one=True, needs=ORDER, second=True, shed=True,
    ),
    Route(
        "DELETE", "/order", "Order.cancel", "Cancel orders.", _own(trading.cancel),
        (Parameter("orderID", "json", "An id or an array of them."), Parameter("clOrdID", "json"), TEXT),
        "order", needs=CANCEL, second=True,
    ),
    Route(
        "DELETE", "/order/all", "Order.cancelAll", "Cancel all orders.", _own(trading.cancel_all),
        (SYMBOL, FILTER, TEXT), "order", needs=CANCEL, second=True,
    ),
    Route(
        "POST", "/order/cancelAllAfter", "Order.cancelAllAfter", "Cancel all orders unless this is sent again in time.",
        _cancel_all_after, (Parameter("timeout", "number", "Milliseconds, 0 disarms.", required=True),), needs=CANCEL,
    ),
    Route(
        "POST", "/order/closePosition", "Order.closePosition", "Close a position.", _own(trading.close_position),
        (THE_SYMBOL, PRICE, STRATEGY, TEXT), "order", one=True, needs=ORDER, second=True, shed=True,
    ),
    Route(
        "GET", "/execution", "Execution.get", "Everything that happened to your orders.",
        _own(reading.executions), TABLE, "execution", needs=ANY_KEY,
    ),
    Route(
        "GET", "/execution/tradeHistory", "Execution.getTradeHistory", "What moved your balance.",
        _own(reading.trade_history), TABLE, "execution", needs=ANY_KEY,
    ),
)  # fmt: skip

_ORDERS_OF_A_CALL = (Parameter("orders", "json", "An array of what the single routes take.", required=True),)
BULK: tuple[Route, ...] = (
    Route(
        "POST", "/order/bulk", "Order.newBulk", "Place several orders.", _own(trading.place_many), _ORDERS_OF_A_CALL,
        "order", needs=ORDER, second=True, shed=True,
    ),
    Route(
        "PUT", "/order/bulk", "Order.amendBulk", "Amend several orders.", _own(trading.amend_many), _ORDERS_OF_A_CALL,
        "order", needs=ORDER, second=True, shed=True,
    ),
)  # fmt: skip
"""Served only where they are asked for: the exchange took them away, old clients cannot do without (4.8)."""

POSITIONS: tuple[Route, ...] = (
    Route(
        "GET", "/position", "Position.get", "Your positions.", _own(reading.positions), (FILTER, COLUMNS, COUNT),
        "position", needs=ANY_KEY,
    ),
    Route(
        "POST", "/position/leverage", "Position.updateLeverage", "Isolate at a leverage; 0 is cross.",
        _own(leverage.set_leverage), (THE_SYMBOL, Parameter("leverage", "number", required=True), STRATEGY),
        "position", one=True, needs=ORDER, second=True, shed=True,
    ),
    Route(
        "POST", "/position/isolate", "Position.isolateMargin", "Isolated or cross margin.", _own(leverage.isolate),
        (THE_SYMBOL, Parameter("enabled", "boolean", default=True), STRATEGY),
        "position", one=True, needs=ORDER, second=True, shed=True,
    ),
    Route(
        "POST", "/position/crossLeverage", "Position.updateCrossLeverage", "The leverage used while in cross margin.",
        _own(leverage.set_cross_leverage), (THE_SYMBOL, Parameter("crossLeverage", "number", required=True), STRATEGY),
        "position", one=True, needs=ORDER, shed=True,
    ),
    Route(
        "POST", "/position/riskLimit", "Position.updateRiskLimit", "The largest value, at the price of its rates.",
        _own(leverage.set_risk_limit), (THE_SYMBOL, Parameter("riskLimit", "integer", required=True), STRATEGY),
        "position", one=True, needs=ORDER, shed=True,
    ),
    Route(
        "POST", "/position/transferMargin", "Position.transferIsolatedMargin", "Margin into or out of a position.",
        _own(leverage.transfer_margin), (THE_SYMBOL, Parameter("amount", "integer", required=True), STRATEGY),
        "position", one=True, needs=ORDER, second=True, shed=True,
    ),
)  # fmt: skip

USER: tuple[Route, ...] = (
    Route(
        "GET", "/user", "User.get", "The user.", profile.user, model="user", one=True, needs=ANY_KEY
    ),
    Route(
        "GET", "/user/margin", "User.getMargin", "Margin of a currency, or of all.", _own(reading.margin), (CURRENCY,),
        "margin", one=True, needs=ANY_KEY,
    ),
    Route(
        "GET", "/user/wallet", "User.getWallet", "Balance of a currency, or of all.", _own(reading.wallet), (CURRENCY,),
        "wallet", one=True, needs=ANY_KEY,
    ),
    Route(
        "GET", "/user/walletHistory", "User.getWalletHistory", "What moved your wallet, newest first.",
        _own(reading.wallet_history), (CURRENCY, COUNT, START, REVERSE), "transact", needs=ANY_KEY,
    ),
    Route(
        "GET", "/user/walletSummary", "User.getWalletSummary", "The wallet's history summed by type.",
        _own(reading.wallet_summary), (CURRENCY,), "walletSummary", needs=ANY_KEY,
    ),
    Route(
        "POST", "/user/positionMode", "User.updatePositionMode", "`MultiWay` for hedge mode; nothing for one-way.",
        _position_mode, (Parameter("positionMode", choices=("MultiWay", "OneWay")),), needs=ORDER,
    ),
    Route(
        "GET", "/user/marginingMode", "User.getMarginingMode", "The margining mode.",
        lambda call: modes.margining_mode(call.account), needs=ANY_KEY,
    ),
    Route(
        "POST", "/user/marginingMode", "User.updateMarginingMode", "Keeps the value that is sent.",
        _own(modes.set_margining_mode), (Parameter("selectedMarginingMode", required=True), CURRENCY), needs=ORDER,
    ),
    Route(
        "GET", "/user/commission", "User.getCommission", "Your fees per symbol.", _public(profile.commission),
        needs=ANY_KEY,
    ),
    Route(
        "GET", "/user/tradingVolume", "User.getTradingVolume", "Dollars a day over thirty days.",
        _own(profile.trading_volume), model="tradingVolume", needs=ANY_KEY,
    ),
    Route(
        "GET", "/user/quoteFillRatio", "User.getQuoteFillRatio", "Orders and fills per day.",
        _own(profile.quote_fill_ratio), model="quoteFillRatio", needs=ANY_KEY,
    ),
    Route(
        "GET", "/user/quoteValueRatio", "User.getQuoteValueRatio", "Bitcoin traded per order.",
        _own(profile.quote_value_ratio), model="quoteValueRatio", needs=ANY_KEY,
    ),
    Route(
        "GET", "/user/executionHistory", "User.getExecutionHistory", "What moved your balance on one day.",
        _own(profile.execution_history),
        (THE_SYMBOL, Parameter("timestamp", "time", "Any moment of the day.", required=True)),
        "execution", needs=ANY_KEY,
    ),
    Route(
        "GET", "/user/depositAddress", "User.getDepositAddress", "Where to pay in.", _own(transfers.deposit_address),
        (THE_CURRENCY, NETWORK), needs=ANY_KEY,
    ),
    Route(
        "GET", "/user/depositAddressInformation", "User.getDepositAddressInformation", "Where to pay in.",
        _own(transfers.deposit_address_information), (THE_CURRENCY, NETWORK), needs=ANY_KEY,
    ),
    Route(
        "POST", "/user/requestWithdrawal", "User.requestWithdrawal", "Withdraw money.",
        _own(transfers.request_withdrawal),
        (
            THE_CURRENCY, NETWORK, Parameter("amount", "integer", "Minor units.", required=True), Parameter("address"),
            Parameter("fee", "integer"), TEXT,
        ),
        "transact", one=True, needs=WITHDRAW,
    ),
    Route(
        "POST", "/user/preferences", "User.savePreferences", "Store a client's settings.", profile.save_preferences,
        (Parameter("prefs", "json", required=True), Parameter("overwrite", "boolean", default=False)),
        "user", one=True, needs=ANY_KEY,
    ),
    Route("POST", "/user/logout", "User.logout", "Log out.", profile.log_out, needs=ANY_KEY),
    Route("GET", "/apiKey", "APIKey.get", "Your keys.", profile.api_keys, (REVERSE,), "apiKey", needs=ANY_KEY),
    Route(
        "GET", "/userEvent", "UserEvent.get", "What happened to your user.", _own(profile.user_events),
        (COUNT, Parameter("startId", "integer")), needs=ANY_KEY,
    ),
    Route(
        "GET", "/globalNotification", "GlobalNotification.get", "Notifications.", lambda call: [], needs=ANY_KEY
    ),
)  # fmt: skip

DESCRIPTION = Route(
    "GET", explorer.PATH, "Explorer.get", "This description.", lambda call: explorer.describe(call.services.routes)
)

ENDPOINTS: tuple[Route, ...] = (*MARKET, *ORDERS, *POSITIONS, *USER, DESCRIPTION)
