"""Keys and types of every table's partial, as captured (protocol 7.5 and Appendix A), and columns for REST filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_NAMES = {
    "y": "symbol", "i": "long", "f": "float", "g": "guid", "t": "timestamp", "n": "timespan", "b": "boolean",
    "s": "string", "j": "integer", "-": "", "l": "",
}  # fmt: skip


def _types(text: str) -> dict[str, str]:
    pairs = (part.rsplit(":", 1) for part in text.split())
    return {column: _NAMES[code] for column, code in pairs}


_ORDER = (
    "orderID:g clOrdID:- clOrdLinkID:- account:i symbol:y strategy:y side:y orderQty:i price:f displayQty:i stopPx:f "
    "pegOffsetValue:f pegPriceType:y currency:y settlCurrency:y ordType:y timeInForce:y execInst:y contingencyType:y "
    "ordStatus:y triggered:y workingIndicator:b ordRejReason:- leavesQty:i cumQty:i avgPx:f text:- transactTime:t "
    "timestamp:t pool:y"
)
_BIN = (
    "timestamp:t symbol:y open:f high:f low:f close:f trades:i volume:i vwap:f lastSize:i turnover:i homeNotional:f "
    "foreignNotional:f"
)
_L2 = "symbol:y id:i side:y size:i price:f timestamp:t transactTime:t"

_SIZES = ("1m", "5m", "1h", "1d")

TYPES: dict[str, dict[str, str]] = {
    "order": _types(_ORDER),
    "execution": _types(
        "execID:g orderID:g clOrdID:- clOrdLinkID:- account:i symbol:y strategy:y side:y lastQty:i lastPx:f "
        "lastLiquidityInd:y orderQty:i price:f displayQty:i stopPx:f pegOffsetValue:f pegPriceType:y currency:y "
        "settlCurrency:y execType:y ordType:y timeInForce:y execInst:y contingencyType:y ordStatus:y triggered:y "
        "workingIndicator:b ordRejReason:- leavesQty:i cumQty:i avgPx:f commission:f brokerCommission:f feeType:y "
        "tradePublishIndicator:y text:- trdMatchID:g execCost:i execComm:i brokerExecComm:i homeNotional:f "
        "foreignNotional:f transactTime:t timestamp:t realisedPnl:i trdType:y pool:y tradePool:y"
    ),
    "funding": _types("timestamp:t symbol:y fundingInterval:n fundingRate:f fundingRateDaily:f"),
    "instrument": _types(
        "symbol:y rootSymbol:y state:y typ:y listing:t front:t expiry:t settle:t listedSettle:t relistInterval:n "
        "positionCurrency:y underlying:y quoteCurrency:y underlyingSymbol:y reference:y referenceSymbol:y "
        "calcInterval:n publishInterval:n publishTime:n maxOrderQty:i maxPrice:f lotSize:i tickSize:f multiplier:i "
        "settlCurrency:y underlyingToPositionMultiplier:i underlyingToSettleMultiplier:i quoteToSettleMultiplier:i "
        "isQuanto:b isInverse:b initMargin:f maintMargin:f riskLimit:i riskStep:i limit:f taxed:b deleverage:b "
        "makerFee:f takerFee:f settlementFee:f fundingBaseSymbol:y fundingQuoteSymbol:y fundingPremiumSymbol:y "
        "fundingTimestamp:t fundingInterval:n fundingRate:f indicativeFundingRate:f rebalanceTimestamp:t "
        "rebalanceInterval:n prevClosePrice:f limitDownPrice:f limitUpPrice:f prevTotalVolume:i totalVolume:i volume:i "
        "volume24h:i prevTotalTurnover:i totalTurnover:i turnover:i turnover24h:i homeNotional24h:f "
        "foreignNotional24h:f prevPrice24h:f vwap:f highPrice:f lowPrice:f lastPrice:f lastPriceProtected:f "
        "lastTickDirection:y lastChangePcnt:f bidPrice:f midPrice:f askPrice:f impactBidPrice:f impactMidPrice:f "
        "impactAskPrice:f hasLiquidity:b openInterest:i openValue:i fairMethod:y fairBasisRate:f fairBasis:f "
        "fairPrice:f markMethod:y markPrice:f indicativeSettlePrice:f settledPriceAdjustmentRate:f settledPrice:f "
        "instantPnl:b minTick:f fundingBaseRate:f fundingQuoteRate:f timestamp:t"
    ),
    "liquidation": _types("orderID:g symbol:y side:y price:f leavesQty:i"),
    "margin": _types(
        "account:i currency:y riskLimit:i state:y amount:i prevRealisedPnl:i grossComm:i grossOpenCost:i "
        "grossOpenPremium:i grossExecCost:i grossMarkValue:i riskValue:i initMargin:i maintMargin:i "
        "targetExcessMargin:i realisedPnl:i unrealisedPnl:i walletBalance:i marginBalance:i marginLeverage:f "
        "marginUsedPcnt:f excessMargin:i availableMargin:i withdrawableMargin:i systemWithdrawableMargin:i "
        "makerFeeDiscount:f takerFeeDiscount:f timestamp:t foreignMarginBalance:i foreignRequirement:i"
    ),
    "orderBookL2": _types(_L2),
    "orderBookL2_25": _types(_L2),
    "orderBook10": {"symbol": "symbol", "bids": "", "asks": "", "timestamp": "timestamp"},
    "position": _types(
        "account:i symbol:y strategy:y currency:y underlying:y quoteCurrency:y commission:f initMarginReq:f "
        "maintMarginReq:f riskLimit:i leverage:f crossMargin:b deleveragePercentile:f rebalancedPnl:i "
        "prevRealisedPnl:i prevUnrealisedPnl:i openingQty:i openOrderBuyQty:i openOrderBuyCost:i openOrderBuyPremium:i "
        "openOrderSellQty:i openOrderSellCost:i openOrderSellPremium:i currentQty:i currentCost:i currentComm:i "
        "realisedCost:i unrealisedCost:i grossOpenPremium:i isOpen:b markPrice:f markValue:i riskValue:i "
        "homeNotional:f foreignNotional:f posState:y posCost:i posCross:i posComm:i posLoss:i posMargin:i posMaint:i "
        "posInit:i initMargin:i maintMargin:i realisedPnl:i unrealisedPnl:i unrealisedPnlPcnt:f unrealisedRoePcnt:f "
        "avgCostPrice:f avgEntryPrice:f breakEvenPrice:f marginCallPrice:f liquidationPrice:f bankruptPrice:f "
        "timestamp:t"
    ),
    "quote": _types("timestamp:t symbol:y bidSize:i bidPrice:f askPrice:f askSize:i"),
    "trade": _types(
        "timestamp:t symbol:y side:y size:i price:f tickDirection:y trdMatchID:g grossValue:i homeNotional:f "
        "foreignNotional:f trdType:y"
    ),
    "wallet": _types(
        "account:i currency:y deposited:i withdrawn:i transferIn:i transferOut:i amount:i pendingCredit:i "
        "pendingDebit:i confirmedDebit:i timestamp:t"
    ),
    "settlement": _types(
        "timestamp:t symbol:y settlementType:y settledPrice:f optionStrikePrice:f optionUnderlyingPrice:f bankrupt:i "
        "taxBase:i taxRate:f"
    ),
    "insurance": _types("currency:y timestamp:t walletBalance:i"),
    "transact": _types(
        "transactID:g account:i currency:y network:y transactType:y amount:i fee:i transactStatus:y address:s tx:s "
        "text:s memo:s transactTime:t timestamp:t walletBalance:i marginBalance:i"
    ),
    "affiliate": _types("account:i currency:y prevPayout:i prevTurnover:i prevComm:i timestamp:t"),
    **{f"quoteBin{size}": _types("timestamp:t symbol:y bidSize:i bidPrice:f askPrice:f askSize:i") for size in _SIZES},
    **{f"tradeBin{size}": _types(_BIN) for size in ("1m", "5m", "1h", "1d")},
}

KEYS: dict[str, tuple[str, ...]] = {
    "orderBookL2": ("symbol", "id", "side"),
    "orderBookL2_25": ("symbol", "id", "side"),
    "orderBook10": ("symbol",),
    "instrument": ("symbol",),
    "funding": ("timestamp", "symbol"),
    "liquidation": ("orderID",),
    "order": ("orderID",),
    "position": ("account", "symbol", "strategy"),
    "margin": ("account", "currency"),
    "wallet": ("account", "currency"),
    "settlement": ("timestamp", "symbol"),
    "insurance": ("currency", "timestamp"),
    "transact": ("transactID",),
    "affiliate": ("account", "currency"),
}
"""Tables that are not listed have none: their rows are only ever inserted."""

PRIVATE = frozenset({"order", "execution", "position", "margin", "wallet", "transact", "affiliate"})
BY_CURRENCY = frozenset({"margin", "wallet", "transact", "affiliate", "insurance"})
BIN_SIZES = ("1m", "5m", "1h", "1d")
REQUIRES_LOGIN = PRIVATE | {"account", "affiliate", "privateNotifications", "transact"}
"""What the 401 frame of protocol 7.3 covers."""
_NOTIFICATION = "id:i date:t title:s body:s ttl:i type:y closable:b persist:b waitForVisibility:b sound:s"
PLATFORM_TYPES = {
    "announcement": _types("id:i link:s title:s content:s date:t"),
    "chat": _types("id:i date:t user:s message:s html:s fromBot:b channelID:i"),
    "connected": _types("id:i users:i bots:i"),
    "publicNotifications": _types(_NOTIFICATION),
    "privateNotifications": _types(_NOTIFICATION),
}
PLATFORM = frozenset(PLATFORM_TYPES)
"""Topics of the other socket."""

CLASSES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "CONTRACTS": lambda row: not row["symbol"].startswith("."),
    "INDICES": lambda row: bool(row["symbol"].startswith(".")),
    "DERIVATIVES": lambda row: not row["symbol"].startswith(".") and row["typ"] != "IFXXXP",
    "SPOT": lambda row: bool(row["typ"] == "IFXXXP"),
}
"""18.10.10; of full rows. An underscore alone makes no spot pair: P_POWELLK26 is a prediction."""
