"""Markets as ccxt tells them, as instruments: on which grid, in which unit, and how they pay off, without float noise.

A market is read in two steps. `row_of` takes of ccxt's dict what an instrument needs, as exact decimal text: such rows
are what listing.py keeps in a file. `instruments` makes the values of them.

The unit of a quantity is ccxt's own `amount`: contracts of derivatives, base currency on spot.

| of ccxt | here |
| --- | --- |
| `precision` | tick and lot; a step (`TICK_SIZE`) or a number of decimals (`DECIMAL_PLACES`) |
| `contractSize` | base currency per contract where it is linear, quote currency where it is inverse |
| `linear`, `inverse`, neither of both | value = qty x size x price, qty x size / price; neither is quanto |
| `limits` | least and largest quantity, price, value; the largest leverage |
| `maker`, `taker` | fees, ccxt's own defaults where the venue tells none |

A symbol is the venue's own id where that is a name and no other market has it. Where spot and a contract share one, the
contract keeps it and the spot market is called by its unified symbol; where two contracts do, both are. An id that is a
mere number, or another market's unified symbol, is no name.

Money is counted in 8 decimals of its currency, or in as many as the lot of a spot market of it needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any, Final

from ccxt import DECIMAL_PLACES, TICK_SIZE

from hbkit.clock import HOUR
from hbkit.model import Currency, Instrument, InstrumentKind

Market = Mapping[str, Any]
Row = Mapping[str, Any]

SCALE: Final = 8
"""Decimals in which money is counted, at the least."""
DIGITS: Final = 15
"""So many digits of a float are the venue's; what ccxt reckoned with floats may have noise behind them."""
HOURLY: Final = frozenset({"hyperliquid", "dydx", "krakenfutures", "coinbaseinternational", "derive", "paradex"})
"""Venues that fund every hour; ccxt's markets do not tell, and eight hours is what the others have in common."""
MILLISECOND: Final = 1_000_000


def exact(value: Any) -> Decimal | None:
    """A number of ccxt as the decimal that the venue wrote; None for what is not there or is no finite number."""
    if value is None or value == "" or isinstance(value, bool):
        return None
    if not isinstance(value, float):
        number = Decimal(str(value))
        return number if number.is_finite() else None
    number = Decimal(repr(value))
    if not number.is_finite():
        return None
    return number if len(number.as_tuple().digits) <= DIGITS else Decimal(f"{value:.{DIGITS}g}")


def plain(number: Decimal) -> str:
    """Decimal text without an exponent and without zeros at its end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# -- from ccxt


def rows(api: Any) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The markets of a ccxt object that can be traded here, and how many were left out for what."""
    found, left_out = [], Counter[str]()
    for market in (api.markets or {}).values():
        reason = _no_use(market, api.precisionMode)
        if reason:
            left_out[reason] += 1
        else:
            found.append(row_of(api, market))
    return sorted(found, key=lambda row: (row["unified"], row["id"])), left_out


def has_steps(api: Any) -> bool:
    """Whether prices lie on a grid; where they have a number of significant digits, the grid moves with the price."""
    return api.precisionMode in (TICK_SIZE, DECIMAL_PLACES)


def row_of(api: Any, market: Market) -> dict[str, Any]:
    """What an instrument needs of one market, as text; only of one that `rows` does not leave out."""
    limits = market.get("limits") or {}
    amount, price, cost = (limits.get(name) or {} for name in ("amount", "price", "cost"))
    leverage = limits.get("leverage") or {}
    kind = _kind(market)
    row: dict[str, Any] = {
        "id": str(market["id"]),
        "unified": market["symbol"],
        "kind": kind.value,
        "type": market["type"],
        "base": market["base"],
        "quote": market["quote"],
        "settle": market.get("settle") or market["quote"],
        "tick": _step(market, "price", api.precisionMode),
        "lot": _step(market, "amount", api.precisionMode),
        "size": exact(market.get("contractSize")) if market.get("contract") else Decimal(1),
        "min_qty": exact(amount.get("min")),
        "max_qty": exact(amount.get("max")),
        "min_price": exact(price.get("min")),
        "max_price": exact(price.get("max")),
        "maker": exact(market.get("maker")),
        "taker": exact(market.get("taker")),
        "leverage": exact(leverage.get("max")),
        # A perpetual may have a date too: BitMEX's have that of their next funding.
        "expiry": market.get("expiry") if market.get("future") else None,
        "hedge": bool(market.get("contract")) and api.has.get("setPositionMode") is True,
        "hourly": bool(market.get("swap")) and api.id in HOURLY,
    }
    if not market.get("inverse"):
        # Of an inverse contract ccxt's `cost` is in base at one venue and in quote at the next.
        row |= {"min_cost": exact(cost.get("min")), "max_cost": exact(cost.get("max"))}
    if api.id == "bitmex":
        row |= _bitmex(api, market, kind)
    return {name: plain(one) if isinstance(one, Decimal) else one for name, one in row.items() if one is not None}


def _no_use(market: Market, mode: int) -> str:
    """Why a market is left out; empty for one that is not."""
    kind = market.get("type")
    if market.get("option") or kind not in ("spot", "swap", "future"):
        return f"of type {'option' if market.get('option') else kind or 'unknown'}"
    if market.get("active") is False:
        return "not active"
    if mode not in (TICK_SIZE, DECIMAL_PLACES):
        return "priced to a number of significant digits"
    for name in ("price", "amount"):
        if (_step(market, name, mode) or 0) <= 0:
            return f"without a step of the {'price' if name == 'price' else 'quantity'}"
    if market.get("contract") and (exact(market.get("contractSize")) or 0) <= 0:
        return "without a contract size"
    return (
        "" if market.get("id") and market.get("symbol") and market.get("base") and market.get("quote") else "nameless"
    )


def _kind(market: Market) -> InstrumentKind:
    if market.get("spot"):
        return InstrumentKind.SPOT
    if market.get("inverse"):
        return InstrumentKind.INVERSE
    # A contract on USD that is settled in a dollar coin is linear for ccxt, and priced as if the two were one.
    return InstrumentKind.LINEAR if market.get("linear") else InstrumentKind.QUANTO


def _step(market: Market, name: str, mode: int) -> Decimal | None:
    """The step of a price or a quantity: told as such, or as a number of decimals (negative: of zeros)."""
    precision = exact((market.get("precision") or {}).get(name))
    if precision is None:
        # Some venues tell the least quantity alone; whatever is smaller cannot be traded anyway.
        return exact(((market.get("limits") or {}).get(name) or {}).get("min")) if name == "amount" else None
    return Decimal(1).scaleb(-int(precision)) if mode == DECIMAL_PLACES else precision


def _bitmex(api: Any, market: Market, kind: InstrumentKind) -> dict[str, Any]:
    """BitMEX's columns, which ccxt 4.5.83 hands on in the venue's own units.

    Its `contractSize` of inverse and quanto contracts is in minor units of the settlement currency, its step of a spot
    quantity in minor units of the base currency, and `maxOrderQty` stands under `cost` where a contract is of 1 quote;
    `multiplier` is the same for all: settlement minor units per contract and price. The value of one lot is rounded,
    then multiplied (its protocol reference, sections 2.3, 9.2 and 10.1).
    """
    info = market["info"]
    scale = _decimals(api, market.get("settle") or market["quote"])
    most = exact(info.get("maxOrderQty"))
    found: dict[str, Any] = {"scale": scale, "max_cost": None, "min_price": exact(info.get("minPrice"))}
    if kind is InstrumentKind.SPOT:
        piece = 1 / Decimal(str(info["underlyingToPositionMultiplier"]))
        lot = Decimal(str(info["lotSize"])) * piece
        return found | {
            "lot": lot, "unit": piece, "max_qty": most * piece if most is not None else None,
            "base_scale": _decimals(api, market["base"]),
        }  # fmt: skip
    return found | {
        "size": abs(Decimal(str(info["multiplier"]))).scaleb(-scale),
        "unit": Decimal(1),
        "per_lot": True,
        "max_qty": most,
        "hedge": info.get("capped") is False,
        "initial": exact(info.get("initMargin")),
        "maintenance": exact(info.get("maintMargin")),
        "risk_limit": info.get("riskLimit"),
        "risk_step": info.get("riskStep"),
    }


def _decimals(api: Any, code: str) -> int:
    """Decimals of a currency's minor unit, where ccxt knows them."""
    step = exact(((api.currencies or {}).get(code) or {}).get("precision"))
    exponent = step.normalize().as_tuple().exponent if step else None
    return -exponent if isinstance(exponent, int) else SCALE


# -- to instruments


def instruments(found: Iterable[Row]) -> list[Instrument]:
    """The instruments of rows, in their order; `exchange` is empty, whoever asks puts the config's name there."""
    listed = list(found)
    symbols = _symbols(listed)
    scales = _scales(listed)
    return [_instrument(row, symbol, scales) for row, symbol in zip(listed, symbols, strict=True)]


def _instrument(row: Row, symbol: str, scales: Mapping[str, int]) -> Instrument:
    kind = InstrumentKind(row["kind"])
    spot = kind is InstrumentKind.SPOT
    settle = Currency(row["settle"], scales[row["settle"]])
    lot, unit = Decimal(row["lot"]), Decimal(row.get("unit") or row["lot"])
    least, leverage = _number(row, "min_qty"), _number(row, "leverage")
    initial = _number(row, "initial")
    if initial is None:
        initial = _rate(leverage) if leverage is not None and leverage >= 1 else UNTOLD_MARGIN
    maintenance = _number(row, "maintenance")
    return Instrument(
        exchange="",
        symbol=symbol,
        unified=row["unified"],
        kind=kind,
        base=row["base"],
        quote=row["quote"],
        settle=settle,
        tick_size=Decimal(row["tick"]),
        lot_size=lot,
        unit_size=unit,
        multiplier=Decimal(row["size"]).scaleb(settle.scale),
        maker_fee=Decimal(row.get("maker", 0)),
        taker_fee=Decimal(row.get("taker", 0)),
        value_per_lot=bool(row.get("per_lot")),
        max_qty=_number(row, "max_qty"),
        min_qty=least if least is not None and least > lot else None,
        min_cost=_number(row, "min_cost") or None,
        max_cost=_number(row, "max_cost"),
        min_price=_number(row, "min_price"),
        max_price=_number(row, "max_price"),
        init_margin=Decimal(0) if spot else initial,
        maint_margin=Decimal(0) if spot else initial / 2 if maintenance is None else maintenance,
        risk_limit=int(row["risk_limit"]) if "risk_limit" in row else None,
        risk_step=int(row["risk_step"]) if "risk_step" in row else None,
        base_scale=scales[row["base"]] if spot else SCALE,
        funding_interval=(1 if row.get("hourly") else 8) * HOUR,
        expiry=int(row["expiry"]) * MILLISECOND if row.get("expiry") else None,
        hedge=bool(row.get("hedge")),
        info={
            "id": row["id"],
            "type": row["type"],
            "fees": "told" if "maker" in row and "taker" in row else "not told, reckoned as none",
            "margin": _of_margin(row, spot),
        },
    )


UNTOLD_MARGIN: Final = Decimal("0.1")
"""Initial margin in paper trading of a contract whose leverage ccxt does not tell: less than any venue asks for."""


def _of_margin(row: Row, spot: bool) -> str:
    if spot:
        return "none"
    if "leverage" not in row and "initial" not in row:
        return "not told: 10 % initial and half of it maintenance are assumed, in paper trading only"
    if "maintenance" in row:
        return "told"
    return "initial by the highest leverage; half of it maintenance is assumed, in paper trading only"


def _rate(leverage: Decimal) -> Decimal:
    # Never more than the exact fraction: with it the highest leverage itself would be refused.
    return Context(prec=28, rounding=ROUND_DOWN).divide(Decimal(1), leverage)


def _symbols(listed: list[Row]) -> list[str]:
    unified = {row["unified"] for row in listed}
    of_contracts = Counter(row["id"] for row in listed if row["kind"] != "spot")
    of_spot = Counter(row["id"] for row in listed if row["kind"] == "spot")

    def symbol(row: Row) -> str:
        name: str = row["id"]
        if name.isdigit() or (name in unified and name != row["unified"]):
            return str(row["unified"])
        is_alone = of_spot[name] == 1 and not of_contracts[name] if row["kind"] == "spot" else of_contracts[name] == 1
        return name if is_alone else str(row["unified"])

    return [symbol(row) for row in listed]


def _scales(listed: list[Row]) -> dict[str, int]:
    """Decimals per currency, the same in every instrument."""
    found: dict[str, int] = {}

    def need(code: str, scale: int) -> None:
        found[code] = max(found.get(code, SCALE), scale)

    for row in listed:
        need(row["settle"], SCALE)
        if row["kind"] == "spot":
            exponent = Decimal(row.get("unit") or row["lot"]).normalize().as_tuple().exponent
            need(row["base"], -exponent if isinstance(exponent, int) else SCALE)
    # Where the venue's own decimals are known (BitMEX), amounts are counted as it counts them.
    found.update({row["base"]: row["base_scale"] for row in listed if "base_scale" in row})
    found.update({row["settle"]: row["scale"] for row in listed if "scale" in row})
    return found


def _number(row: Row, name: str) -> Decimal | None:
    return Decimal(row[name]) if row.get(name) is not None else None
