"""`hbkit candles EXCHANGE SYMBOL`: closed candles as a table, or as a file that replay can play."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hbkit.cli.asking import Asked, aligned, ask, decimal_text, exchange_options, grid_text, plan
from hbkit.cli.output import print_json, say
from hbkit.clock import iso, parse_time
from hbkit.errors import UsageError

if TYPE_CHECKING:
    from hbkit.exchange import ExchangeSpec
    from hbkit.model import Candle
    from hbkit.run.visit import Visit

LAST = 20
PARQUET = ".parquet"
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume", "trades")
"""Of a file; `timestamp` is when the interval opened, which is how replay reads it."""


@click.command("candles", short_help="Closed candles, as a table or a file.")
@exchange_options
@click.argument("symbol")
@click.option("--interval", default="1m", show_default=True, help="1m, 5m, 15m, 1h, 4h, 1d ...")
@click.option("--from", "start", metavar="TIME", help="First candle's open: 2019-05-28 or 2019-05-28T18:30:00Z.")
@click.option("--to", "end", metavar="TIME", help="Candles that close up to this moment; default: now.")
@click.option("--last", type=click.IntRange(1, 100_000), help=f"So many before the end; default {LAST}.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write them here: .csv or .parquet.")
def command(
    asked: Asked,
    symbol: str,
    interval: str,
    start: str | None,
    end: str | None,
    last: int | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Show closed candles of SYMBOL; intervals without a trade are there, with zero volume."""
    from hbkit.run.visit import instrument_of

    if start is not None and last is not None:
        raise UsageError("--from and --last both say where to begin; give one of them")
    since, until = _moment("--from", start), _moment("--to", end)
    if since is not None and until is not None and since >= until:
        raise UsageError("--to must be later than --from")
    if out is not None:
        _check_out(out)
    found = plan(asked)
    _check_interval(found.spec, interval)
    instrument_of(found, symbol)  # a wrong symbol is told before anything is started

    async def read(there: Visit) -> list[Candle]:
        market = await there.market(symbol)
        return await there.candles(market, interval, start=since, end=until, last=last or LAST)

    candles = ask(asked, found, read)
    if start is None and 0 < len(candles) < (last or LAST) - 1:  # the newest may be late by a moment
        say(f"{found.name} has no {interval} candles before {iso(candles[0].open_time)}", err=True)
    if out is not None:
        (_write_parquet if out.suffix == PARQUET else _write_csv)(out, candles)
        if not as_json:
            say(f"{len(candles)} candles written to {out}")
    elif not as_json:
        say(_table(candles) if candles else f"no {interval} candles of {symbol} in that span")
    if as_json:
        print_json({
            "exchange": found.name, "from": asked.where, "symbol": instrument_of(found, symbol).symbol,
            "interval": interval, "candles": [dict(_values(candle)) for candle in candles],
            **({"file": str(out)} if out is not None else {}),
        })  # fmt: skip
    return 0


def _moment(flag: str, text: str | None) -> int | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def _check_interval(spec: ExchangeSpec, interval: str) -> None:
    from hbkit.data.candles import inner_interval

    known = spec.capabilities.candle_intervals
    if not known:
        raise UsageError(f"{spec.name} has no candles")
    try:
        inner_interval(interval, known)
    except ValueError as error:
        raise UsageError(f"--interval: {error}") from None


def _check_out(out: Path) -> None:
    """Whether the file can be written at all, before anything is asked."""
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}")
    if out.suffix == PARQUET and find_spec("pyarrow") is None:
        raise UsageError(f'--out {out} needs pyarrow: pip install "hbkit-core[parquet]", or write a .csv file')


def _texts(candle: Candle) -> list[str]:
    """Open, high, low, close, volume, trades; trades is empty where the exchange does not tell."""
    market = candle.instrument
    prices = (candle.open, candle.high, candle.low, candle.close)
    volume = decimal_text(Decimal(repr(candle.volume)))
    return [*(market.price_text(market.ticks(price)) for price in prices), volume, _trades(candle)]


def _trades(candle: Candle) -> str:
    return "" if candle.trades < 0 else str(candle.trades)


def _values(candle: Candle) -> list[tuple[str, object]]:
    texts = _texts(candle)
    pairs: list[tuple[str, object]] = [
        ("open_time", iso(candle.open_time)),
        ("close_time", iso(candle.close_time)),
        *zip(COLUMNS[1:6], texts[:5], strict=True),
    ]
    return [*pairs, ("trades", None if candle.trades < 0 else candle.trades)]


def _table(candles: list[Candle]) -> str:
    rows = [("open time (UTC)", "open", "high", "low", "close", "volume", "trades")]
    for one in candles:
        market = one.instrument
        prices = (grid_text(price, market.tick_size) for price in (one.open, one.high, one.low, one.close))
        volume = grid_text(one.volume, market.unit_size)
        trades = f"{one.trades:,}" if one.trades >= 0 else ""
        rows.append((iso(one.open_time)[:19].replace("T", " "), *prices, volume, trades))  # type: ignore[arg-type]
    return aligned(rows, left=(0,))


def _write_csv(out: Path, candles: list[Candle]) -> None:
    with _writing(out), out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([iso(one.open_time), *_texts(one)] for one in candles)


def _write_parquet(out: Path, candles: list[Candle]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {
        "timestamp": pa.array([one.open_time for one in candles], pa.timestamp("ns", tz="UTC")),
        **{name: pa.array([getattr(one, name) for one in candles], pa.float64()) for name in COLUMNS[1:6]},
        "trades": pa.array([one.trades if one.trades >= 0 else None for one in candles], pa.int64()),
    }
    with _writing(out):
        parquet.write_table(pa.table(columns), out)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"--out {out} cannot be written ({error.strerror or error})") from None
