"""What the columns of a file mean: the kind of rows, which column holds what, and what a candle's time stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from hbkit.data.source import Rows


class Stamp(Enum):
    """What the time of a row says."""

    MOMENT = "moment"
    OPEN = "open"
    CLOSE = "close"


@dataclass(frozen=True)
class Layout:
    """One kind of rows of one symbol (or of the symbols in a column)."""

    kind: Rows
    fields: Mapping[str, int]
    """Our column (and `time`, `date`, `symbol`) to the index of the file's."""
    stamp: Stamp = Stamp.MOMENT
    symbol: str | None = None
    """Where the column names carry it: `xbtusd_bid`."""
    opens_at_last_close: bool = False
    """Columns that only BitMEX's own tables have."""

    def wanted(self) -> list[int]:
        """Indices that are read."""
        return sorted(set(self.fields.values()))


ALIASES: dict[str, tuple[str, ...]] = {
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v", "size", "amount"),
    "trades": ("trades", "count", "n", "tradecount", "numtrades", "numberoftrades"),
    "price": ("price", "px"),
    "qty": ("size", "qty", "quantity", "amount", "volume", "vol"),
    "side": ("side", "takerside"),
    "is_buyer_maker": ("isbuyermaker", "buyermaker"),
    "bid": ("bid", "bidprice", "bidpx", "bestbid", "bestbidprice"),
    "ask": ("ask", "askprice", "askpx", "bestask", "bestaskprice"),
    "bid_qty": ("bidsize", "bidqty", "bidquantity", "bidamount", "bidvolume", "bestbidsize", "bestbidqty"),
    "ask_qty": ("asksize", "askqty", "askquantity", "askamount", "askvolume", "bestasksize", "bestaskqty"),
    "mark": ("markprice", "mark"),
    "index": ("indicativesettleprice", "indexprice", "index"),
    "rate": ("fundingrate", "rate"),
    "next_ts": ("nextfundingtime", "nextfunding", "nexttime", "nextts", "next"),
    "symbol": ("symbol", "instrument"),
    "open_time": ("opentime", "opents", "starttime", "start"),
    "close_time": ("closetime", "closets", "endtime", "end"),
    "time": (
        *("timestamp", "ts", "time", "datetime", "date", "t", "unix", "transacttime"),
        *("tsns", "tsus", "tsms", "timestampns", "timestampus", "timestampms", "timens", "timeus", "timems"),
    ),
}
"""Names without case, spaces and underscores; the earlier one wins where a file has several."""

_NEEDS: tuple[tuple[Rows, tuple[str, ...], tuple[str, ...]], ...] = (
    (Rows.CANDLE, ("open", "high", "low", "close"), ("volume", "trades")),
    (Rows.TRADE, ("price", "qty"), ("side", "is_buyer_maker")),
    (Rows.QUOTE, ("bid", "ask"), ("bid_qty", "ask_qty")),
    (Rows.FUNDING, ("rate",), ("next_ts",)),
    (Rows.MARK, ("mark",), ("index",)),
)
_END_STAMPED_BIN = frozenset({"turnover", "homenotional", "foreignnotional", "lastsize", "vwap"})
_TRADE_OF_SUCH = frozenset({"trdmatchid", "tickdirection", "grossvalue"})
_WIDE_QUOTE = re.compile(r"(.+?)[_ .-](bid|ask)", re.IGNORECASE)

NEEDED = (
    "candles need open, high, low, close; trades price, size; quotes bid, ask; marks markPrice; funding fundingRate; "
    "all need a time (timestamp, or open_time for candles)"
)


def layouts(header: Sequence[str]) -> list[Layout] | str:
    """What the header describes, one layout (several for `xbtusd_bid,xbtusd_ask,...`), or why it is not usable."""
    names: dict[str, int] = {}
    for index, name in enumerate(header):
        names.setdefault(normal(name), index)
    for kind, needed, optional in _NEEDS:
        fields = {field: at for field in (*needed, *optional, "symbol") if (at := _find(field, names)) is not None}
        if all(field in fields for field in needed):
            return _with_time(kind, fields, names, header)
    wide = _wide_quotes(header)
    if wide:
        found = [_with_time(Rows.QUOTE, fields, names, header, symbol) for symbol, fields in wide.items()]
        return [one for group in found if not isinstance(group, str) for one in group] or str(found[0])
    return f"columns {', '.join(header)} are of no known kind; {NEEDED}"


def normal(name: str) -> str:
    """A column name without case, spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]", "", name).lower()


def _find(field: str, names: Mapping[str, int]) -> int | None:
    return next((names[alias] for alias in ALIASES[field] if alias in names), None)


def _with_time(
    kind: Rows, fields: dict[str, int], names: Mapping[str, int], header: Sequence[str], symbol: str | None = None
) -> list[Layout] | str:
    """The layout with its time columns added."""
    stamp = Stamp.MOMENT
    chained = _is_chained(kind, names)
    time = _find("time", names)
    if kind is Rows.CANDLE:
        opened, closed = _find("open_time", names), _find("close_time", names)
        # Some venues write a close_time one millisecond early; where open_time is there too, it is the surer one.
        if opened is not None:
            time, stamp = opened, Stamp.OPEN
        elif closed is not None:
            time, stamp = closed, Stamp.CLOSE
        else:
            stamp = Stamp.CLOSE if chained else Stamp.OPEN
    if time is None and normal(header[0]) in ("", "unnamed:0", "index"):
        # A data frame written with its index of times: the first column has no name.
        time = 0
    if time is None:
        return f"columns {', '.join(header)} hold no time; add a column timestamp (2019-05-28T18:30:00Z or epoch)"
    fields = {**fields, "time": time}
    if time == names.get("time") and "date" in names:
        fields["date"] = names["date"]
    return [Layout(kind, fields, stamp, symbol, chained)]


def _is_chained(kind: Rows, names: Mapping[str, int]) -> bool:
    """Whether these are rows of BitMEX's own tables: its candles carry the END of their bin as `timestamp`.

    One of these columns alone is found elsewhere too (Kraken writes `vwap`), where times are of the open.
    """
    if kind is Rows.CANDLE:
        return "timestamp" in names and len(_END_STAMPED_BIN & names.keys()) >= 2
    return kind is Rows.TRADE and bool(_TRADE_OF_SUCH & names.keys())


def _wide_quotes(header: Sequence[str]) -> dict[str, dict[str, int]]:
    """Symbols with a bid and an ask column of their own."""
    found: dict[str, dict[str, int]] = {}
    for index, name in enumerate(header):
        match = _WIDE_QUOTE.fullmatch(name)
        if match:
            found.setdefault(match[1].upper(), {})[match[2].lower()] = index
    return {symbol: fields for symbol, fields in found.items() if len(fields) == 2}
