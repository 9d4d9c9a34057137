"""The rows of a result as pandas frames, with the extra `frames`; pandas is loaded when the first one is asked for.

Times are the index, in UTC; prices, quantities and money are floats, for figures and charts. What has to be exact is in
the rows of the result, as decimal text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from hbkit.errors import UsageError
from hbkit.model import Candle
from hbkit.report.result import FillRow, OrderRow, RunResult

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]

_FILL_NUMBERS = ("price", "qty", "fee", "realized", "value")
_ORDER_NUMBERS = ("price", "qty", "filled")
_CANDLE = ("exchange", "instrument", "interval", "open", "high", "low", "close", "volume", "trades")


class Frames:
    """One frame for each table of a result. Raises UsageError with the mend where pandas is not installed."""

    def __init__(self, result: RunResult, candles: Sequence[Candle]) -> None:
        self._result = result
        self._candles = candles

    @property
    def fills(self) -> pd.DataFrame:
        """A row for each movement of position or money; `kind` is trade, funding, liquidation, ..."""
        return _of_rows(FillRow, self._result.fill_rows, _FILL_NUMBERS)

    @property
    def orders(self) -> pd.DataFrame:
        """A row for each order, by the time of its first news; `ended` is when it was over, NaT while it is open."""
        frame = _of_rows(OrderRow, self._result.order_rows, _ORDER_NUMBERS)
        frame["ended"] = _times(frame.pop("ended_ts"))
        return frame

    @property
    def equity(self) -> pd.DataFrame:
        """A column for each currency, in whole currency."""
        series = self._result.equity_series
        scales = {row.currency: 10.0**row.scale for row in self._result.money}
        columns = {code: [minor / scales.get(code, 1.0) for minor in line] for code, line in series.minor.items()}
        return _indexed(columns, series.ts)

    @property
    def prices(self) -> pd.DataFrame:
        """A column for each instrument: the prices that the report's chart shows.

        It is called as the instrument; of several exchanges as the exchange and the instrument: `okx BTC-USDT`.
        """
        pandas, several = _pandas(), self._result.several
        lines = [
            _indexed({f"{one.exchange} {one.instrument}" if several else one.instrument: one.price}, one.ts)
            for one in self._result.prices
        ]
        return pandas.concat(lines, axis=1).astype(float) if lines else _indexed({}, [])

    @property
    def candles(self) -> pd.DataFrame:
        """A row for each candle that a strategy heard, by the time at which it closed and was known."""
        columns: dict[str, list[Any]] = {name: [] for name in _CANDLE}
        for candle in self._candles:
            columns["exchange"].append(candle.instrument.exchange)
            columns["instrument"].append(candle.instrument.symbol)
            for name in _CANDLE[2:]:
                columns[name].append(getattr(candle, name))
        return _indexed(columns, [candle.close_time for candle in self._candles])

    def __repr__(self) -> str:
        names = [name for name, one in vars(type(self)).items() if isinstance(one, property)]
        return f"Frames({', '.join(names)})"


def _of_rows(kind: type[msgspec.Struct], rows: Sequence[msgspec.Struct], numbers: Iterable[str]) -> pd.DataFrame:
    """A frame of structs that have a `ts`; decimal text becomes a float, empty text NaN."""
    columns = {name: [getattr(row, name) for row in rows] for name in kind.__struct_fields__}
    for name in numbers:
        columns[name] = [float(text) if text else float("nan") for text in columns[name]]
    ts = columns.pop("ts")
    return _indexed(columns, ts)


def _indexed(columns: Mapping[str, Sequence[Any]], ts: Sequence[int]) -> pd.DataFrame:
    return _pandas().DataFrame(dict(columns), index=_times(ts).rename("time"))


def _times(ts: Any) -> Any:
    pandas = _pandas()
    return pandas.DatetimeIndex(pandas.to_datetime(list(ts), unit="ns", utc=True))


def _pandas() -> Any:
    try:
        return import_module("pandas")
    except ImportError:
        mend = 'python -m pip install "hbkit-core[frames]"'
        raise UsageError(f"frames need pandas, which is not installed: {mend}") from None
