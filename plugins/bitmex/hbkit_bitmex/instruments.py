"""BitMEX's instrument rows as instruments: what could be traded, on which grid, and how it pays off.

The rows of two days are packaged (an *era* each, named by its date); `hbkit_bitmex/data/PROVENANCE.md` says where they
come from. The sections named here are those of the project's BitMEX protocol reference.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from hbkit.clock import HOUR, parse_time
from hbkit.errors import ConfigError, did_you_mean
from hbkit.model.balance import Currency
from hbkit.model.enums import InstrumentKind
from hbkit.model.instrument import Instrument

ERAS = ("2026-05-03", "2021-07-22")
"""Days whose rows are packaged, the newest first."""

TRADEABLE = frozenset({"FFWCSX", "FFWCSF", "FFSCSX", "FFCCSX", "FFICSX", "IFXXXP"})
"""The `typ` codes (9.1) of what takes orders: perpetuals on crypto, FX and stocks, futures, predictions, spot."""
SPOT = "IFXXXP"
PREDICTION = "FFICSX"

TIMESPAN_ORIGIN = "2000-01-01T00:00:00Z"
"""`fundingInterval` is a date counted from here: `2000-01-01T08:00:00.000Z` means 8 hours (2.4)."""

INFO_COLUMNS = (
    "typ", "state", "listing", "expiry", "settle", "front", "rootSymbol", "settlCurrency", "positionCurrency",
    "underlyingToPositionMultiplier", "quoteToSettleMultiplier", "reference", "referenceSymbol", "markMethod",
    "fairMethod", "fundingBaseSymbol", "fundingQuoteSymbol", "fundingPremiumSymbol", "capped", "settlementFee",
)  # fmt: skip
"""Columns that are only handed on, in `Instrument.info`."""

Row = Mapping[str, Any]


def load(era: str | None = None) -> list[Instrument]:
    """The instruments of an era (None for the newest); `exchange` is empty, whoever asks puts the config's name there.

    Raises ConfigError for an era that is not packaged.
    """
    return [instrument(row) for row in rows(era) if row["typ"] in TRADEABLE and row["state"] == "Open"]


def rows(era: str | None = None) -> list[dict[str, Any]]:
    """The rows of an era as the exchange sent them, without empty columns; numbers with a point are Decimal."""
    if era is None:
        era = ERAS[0]
    if era not in ERAS:
        raise ConfigError(f'bitmex has no instrument rows of "{era}"; {did_you_mean(era, ERAS, what="known eras")}')
    return _packaged(f"instruments-{era}.json.gz")


def assets() -> list[dict[str, Any]]:
    """The rows of `/wallet/assets`: every currency with its minor code and scale."""
    return _packaged("assets-2026-05-03.json.gz")


@cache
def currencies() -> dict[str, Currency]:
    """Currencies by the exchange's minor code (`XBt`, `USDt`, `Gwei`) and by major code (`XBT`, `USDT`, `ETH`).

    The scales come from `/wallet/assets`, never from the code: `Gwei` is ETH and `LAMp` is SOL (2.2).
    """
    found: dict[str, Currency] = {}
    for row in assets():
        currency = Currency(row["majorCurrency"], row["scale"])
        found[row["currency"]] = currency
        found[row["majorCurrency"]] = currency
    return found


def instrument(row: Row) -> Instrument:
    """One row of a tradeable instrument as a value."""
    kind = _kind(row)
    settle = _settle(row)
    spot = kind is InstrumentKind.SPOT
    base, quote = _legs(row)
    # Quantities of spot are minor base units at the exchange (2.3) and base currency here; contracts stay contracts.
    unit = 1 / _exact(row["underlyingToPositionMultiplier"]) if spot else Decimal(1)
    return Instrument(
        exchange="",
        symbol=row["symbol"],
        unified=_unified(row, settle),
        kind=kind,
        base=base,
        quote=quote,
        settle=settle,
        tick_size=_exact(row["tickSize"]),
        lot_size=_exact(row["lotSize"]) * unit,
        unit_size=unit,
        # 9.2: settlement minor units per contract and price, negative on inverse rows; on spot rows the column is an
        # unused 1, and the value of a fill is qty * price in quote minor units (10.1, 10.8).
        multiplier=_exact(row["quoteToSettleMultiplier"]) if spot else abs(_exact(row["multiplier"])),
        maker_fee=_exact(row["makerFee"]),
        taker_fee=_exact(row["takerFee"]),
        # 10.1: the value of one lot is rounded, then multiplied by the number of lots.
        value_per_lot=not spot,
        max_qty=_exact(row["maxOrderQty"]) * unit,
        min_price=_optional(row, "minPrice"),
        max_price=_optional(row, "maxPrice"),
        # Spot rows carry a margin of 1 here and none in the table of 9.4: nothing is borrowed either way.
        init_margin=Decimal(0) if spot else _exact(row["initMargin"]),
        maint_margin=Decimal(0) if spot else _exact(row["maintMargin"]),
        risk_limit=row.get("riskLimit"),
        risk_step=row.get("riskStep"),
        base_scale=currencies()[base].scale if spot else 8,
        expiry=parse_time(row["expiry"]) if "expiry" in row else None,
        # 9.2: hedge mode exists only where `capped` is false.
        hedge=not spot and row.get("capped") is False,
        info={column: _text(row[column]) for column in INFO_COLUMNS if column in row},
        funding_interval=_funding(row),
    )


def _kind(row: Row) -> InstrumentKind:
    """9.2: the flags decide, never the symbol: many `...USDT` contracts of 2021 were quanto, `ETHUSD_ETH` no spot."""
    if row["typ"] == SPOT:
        return InstrumentKind.SPOT
    if row["isInverse"]:
        return InstrumentKind.INVERSE
    return InstrumentKind.QUANTO if row["isQuanto"] else InstrumentKind.LINEAR


def _settle(row: Row) -> Currency:
    """The currency of value, profit and fee; spot rows have no `settlCurrency`, their fee is taken in quote (10.8)."""
    code = row["quoteCurrency"] if row["typ"] == SPOT else row["settlCurrency"]
    return currencies()[code]


def _legs(row: Row) -> tuple[str, str]:
    """Base and quote in BitMEX's own major codes.

    A prediction's row says `USDT` over `XXX` (row P_POWELLK26); its root symbol over the settlement currency says more.
    """
    if row["typ"] == PREDICTION:
        return row["rootSymbol"], _settle(row).code
    return row["underlying"], row["quoteCurrency"]


def _unified(row: Row, settle: Currency) -> str:
    """The name that works at every exchange: `BTC/USD:BTC`, `BTC/USDT`, `BTC/USD:BTC-260626`."""
    base, quote, money = (_common(code) for code in (*_legs(row), settle.code))
    if row["typ"] == SPOT:
        return f"{base}/{quote}"
    expiry = row.get("expiry", "")
    return f"{base}/{quote}:{money}" + (f"-{expiry[2:4]}{expiry[5:7]}{expiry[8:10]}" if expiry else "")


def _common(code: str) -> str:
    """The code that the rest of the world uses: Bitcoin is XBT here alone (2.1)."""
    return "BTC" if code == "XBT" else code


def _funding(row: Row) -> int:
    """The funding interval that the row names; futures and spot get one of 8 hours, which never applies."""
    if "fundingInterval" not in row:
        return 8 * HOUR
    return parse_time(row["fundingInterval"]) - parse_time(TIMESPAN_ORIGIN)


def _exact(number: int | Decimal) -> Decimal:
    """The number as it stood in the row's text, never by way of a float."""
    return Decimal(number)


def _optional(row: Row, column: str) -> Decimal | None:
    return _exact(row[column]) if column in row else None


def _text(value: object) -> str:
    """A cell as plain text: no exponent, booleans as the exchange writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _packaged(name: str) -> list[dict[str, Any]]:
    """The rows of a packaged file; numbers that are no integer are read as Decimal from their text (2.3)."""
    data = resources.files("hbkit_bitmex").joinpath("data", name).read_bytes()
    found: list[dict[str, Any]] = json.loads(gzip.decompress(data), parse_float=Decimal)
    return found
