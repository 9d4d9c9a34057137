"""Columns and types of every row that REST sends: what filters and `columns` know, `/schema` tells, and CSV is made of.

Tables that sockets have too are those of `columns`; the others stand here, in the order of the exchange's own
description (api-connectors, swagger.json of API 1.2.0).
"""

from __future__ import annotations

from collections.abc import Mapping

from hbkit_bitmex.simulator.columns import KEYS, TYPES

_REST_ONLY: Mapping[str, Mapping[str, str]] = {
    "announcement": {"id": "integer", "link": "string", "title": "string", "content": "string", "date": "timestamp"},
    "apiKey": {
        "id": "string", "secret": "string", "name": "string", "nonce": "long", "cidr": "string", "cidrs": "",
        "permissions": "", "enabled": "boolean", "userId": "integer", "created": "timestamp",
    },
    "assets": {
        "asset": "string", "currency": "string", "majorCurrency": "string", "name": "string", "currencyType": "string",
        "scale": "integer", "enabled": "boolean", "isMarginCurrency": "boolean", "minDepositAmount": "long",
        "minWithdrawalAmount": "long", "maxWithdrawalAmount": "long", "memoRequired": "boolean", "networks": "",
        "assetID": "long",
    },
    "compositeIndex": {
        "timestamp": "timestamp", "symbol": "symbol", "indexSymbol": "symbol", "indexMultiplier": "float",
        "reference": "string", "lastPrice": "float", "sourcePrice": "float", "conversionIndex": "symbol",
        "conversionIndexPrice": "float", "weight": "float", "logged": "timestamp",
    },
    "insurance": {"currency": "string", "timestamp": "timestamp", "walletBalance": "long"},
    "networks": {
        "network": "string", "name": "string", "currency": "string", "networkSymbol": "string",
        "transactionExplorer": "string", "tokenExplorer": "string", "depositConfirmations": "integer",
        "enabled": "boolean",
    },
    "quoteFillRatio": {
        "date": "timestamp", "account": "long", "quoteCount": "long", "dealtCount": "long", "quotesMavg7": "float",
        "dealtMavg7": "float", "quoteFillRatioMavg7": "float",
    },
    "quoteValueRatio": {
        "timestamp": "timestamp", "account": "long", "symbol": "symbol", "quoteCount": "long", "volumeXBT": "float",
        "QVR": "float", "id": "long",
    },
    "settlement": {
        "timestamp": "timestamp", "symbol": "symbol", "settlementType": "string", "settledPrice": "float",
        "optionStrikePrice": "float", "optionUnderlyingPrice": "float", "bankrupt": "long", "taxBase": "long",
        "taxRate": "float",
    },
    "stats": {
        "rootSymbol": "symbol", "currency": "string", "volume24h": "long", "turnover24h": "long",
        "openInterest": "long", "openValue": "long",
    },
    "statsHistory": {
        "date": "timestamp", "rootSymbol": "symbol", "currency": "string", "volume": "long", "turnover": "long",
    },
    "statsUSD": {
        "rootSymbol": "symbol", "currency": "string", "turnover24h": "long", "turnover30d": "long",
        "turnover365d": "long", "turnover": "long",
    },
    "tradingVolume": {"advUsd": "float", "advUsdSpot": "float", "advUsdContract": "float"},
    "transact": {
        "transactID": "guid", "account": "long", "currency": "string", "network": "string", "transactType": "string",
        "amount": "long", "fee": "long", "transactStatus": "string", "address": "string", "tx": "string",
        "text": "string", "transactTime": "timestamp", "timestamp": "timestamp", "walletBalance": "long",
    },
    "usdVolume": {
        "symbol": "symbol", "currency": "string", "turnover24h": "long", "turnover30d": "long", "turnover365d": "long",
        "turnover": "long",
    },
    "user": {
        "id": "integer", "firstname": "string", "lastname": "string", "username": "string", "accountName": "string",
        "isUser": "boolean", "email": "string", "created": "timestamp", "lastUpdated": "timestamp", "preferences": "",
        "TFAEnabled": "string", "affiliateID": "string", "country": "string", "geoipCountry": "string",
        "geoipRegion": "string", "firstTradeTimestamp": "timestamp", "firstDepositTimestamp": "timestamp",
        "isElite": "boolean", "typ": "string", "positionMode": "string",
    },
    "walletSummary": {
        "account": "long", "currency": "string", "transactType": "string", "symbol": "symbol", "amount": "long",
        "pendingDebit": "long", "realisedPnl": "long", "walletBalance": "long", "unrealisedPnl": "long",
        "marginBalance": "long",
    },
}  # fmt: skip

_QUOTE_BINS = {f"quoteBin{size}": TYPES["quote"] for size in ("1m", "5m", "1h", "1d")}

_RECORDED = {
    "capped": "boolean", "minPrice": "float", "instrumentID": "long", "pool": "symbol", "openingTimestamp": "timestamp",
    "closingTimestamp": "timestamp",
}  # fmt: skip
"""Columns of the instrument rows of 2026-05-03 that no captured partial of a socket names."""

MODELS: Mapping[str, Mapping[str, str]] = {
    **_REST_ONLY, **_QUOTE_BINS, **TYPES, "instrument": {**_RECORDED, **TYPES["instrument"]}
}  # fmt: skip
"""Column to type per table; the type names are those of the exchange's partials, empty for what is a list or object."""

MODEL_KEYS: Mapping[str, tuple[str, ...]] = {
    "announcement": ("id",), "apiKey": ("id",), "assets": ("asset",), "compositeIndex": ("timestamp", "symbol"),
    "insurance": ("currency", "timestamp"), "networks": ("network",), "settlement": ("timestamp", "symbol"),
    "stats": ("rootSymbol",), "statsHistory": ("date", "rootSymbol"), "statsUSD": ("rootSymbol",),
    "transact": ("transactID",), "usdVolume": ("symbol",), "user": ("username",),
    "tradeBin1m": ("timestamp", "symbol"), "trade": ("timestamp", "symbol"), "quote": ("timestamp", "symbol"),
    "execution": ("execID",), **KEYS,
}  # fmt: skip
"""What names a row: always in the answer, whichever columns are asked for (4.1)."""
