"""What `--data` names, opened: recorded tapes, a user's own files, and the style of what is drawn for all else.

    bitmex-2019-05-29            a recorded tape
    XBTUSD-1m-2019-05.csv.gz     candles, quotes, trades or fundings: CSV or JSON lines, plain or gzip
    ETHUSDT=my/eth.csv           the same, of the instrument that is named
    synthetic:trending           how the markets behave that nobody recorded: calm, trending, gapping, thin

Everything that is played runs on one time line, so what is named together has to overlap in time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hbkit.clock import iso
from hbkit.data.candles import interval_ns
from hbkit.data.combined import combine
from hbkit.data.files import FileSource
from hbkit.data.source import Batch, Floats, Ints, Rows, Source, SourceInfo
from hbkit.errors import DataError, did_you_mean
from hbkit_bitmex import derived, instruments, tapes
from hbkit_bitmex.provenance import PROVENANCE
from hbkit_bitmex.simulator.paths import STYLES, Style

SYNTHETIC = "synthetic"
PARTS_OF_CANDLE = 8
NEVER = 2**63 - 1
_CUTS = re.compile(r"[-.\s]")


@dataclass(frozen=True)
class Played:
    """What is to be played."""

    source: Source | None
    """None where everything is drawn."""
    start: int
    end: int
    rates: Callable[[int], list[float]]
    """The funding rates that a tape paid from a moment of it on."""
    style: Style
    tape: str | None = None
    """The recorded tape that is played alone; only of these is known what came before."""

    @property
    def symbols(self) -> list[str]:
        """Instruments that are played."""
        return [] if self.source is None else [name for name in self.source.info().kinds if not name.startswith(".")]


def open_data(texts: Sequence[str], seed: int) -> Played:
    """Open all of it. Raises DataError, with file and line where a file is at fault."""
    style, rates = STYLES["calm"], _no_rates
    sources: list[Source] = []
    tape_name = None
    files: dict[tuple[str | None, frozenset[Rows]], list[Path]] = {}
    for text in texts:
        if text.partition(":")[0] == SYNTHETIC:
            style = _style(text)
        elif text in PROVENANCE:
            tape, tape_name = tapes.open_tape(text, seed), text
            rates = tape.funding_rates
            sources.append(derived.Family(tape))
        else:
            for symbol, path in _files(text):
                kinds = FileSource([path], symbol=symbol, name=path.name).info().kinds
                files.setdefault((symbol, frozenset().union(*kinds.values())), []).append(path)
    for (symbol, _), paths in files.items():
        sources.append(Printed(FileSource(paths, symbol=symbol, name=", ".join(path.name for path in paths))))
    if not sources:
        return Played(None, 0, 0, rates, style)
    start, end = _overlap([source.info() for source in sources])
    alone = tape_name if len(sources) == 1 else None
    played = Played(sources[0] if len(sources) == 1 else combine(sources), start, end, rates, style, alone)
    _check_symbols(played.symbols)
    return played


def of_source(source: Source, rates: Callable[[int], list[float]] | None = None) -> Played:
    """A source that was opened elsewhere."""
    info = source.info()
    return Played(source, info.start, info.end, rates or _no_rates, STYLES["calm"])


def _no_rates(start: int) -> list[float]:
    """Nothing was recorded: every contract has the rate of its row."""
    del start
    return []


def _style(text: str) -> Style:
    name = text.partition(":")[2]
    if name not in STYLES:
        raise DataError(
            f'no synthetic market is called "{name}"; {did_you_mean(name, STYLES, what="styles")}', code="HB500"
        )
    return STYLES[name]


def _files(text: str) -> list[tuple[str | None, Path]]:
    """The files of an argument with the instrument of each, None where a column names it."""
    symbol, equals, rest = text.partition("=")
    named = equals and not Path(text).exists()
    path = Path(rest if named else text)
    if not path.exists():
        known = [*PROVENANCE, *(f"{SYNTHETIC}:{name}" for name in STYLES)]
        raise DataError(
            f'no tape and no file is called "{text}"; {did_you_mean(text, known, what="tapes and styles")}; '
            "a file is named by its path, or SYMBOL=PATH",
            code="HB500",
        )
    found = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
    return [(symbol if named else _symbol_of(one), one) for one in found]


def _symbol_of(path: Path) -> str | None:
    """The instrument that the file's name begins with: `XBTUSD-1m-2019-05.csv.gz`, `XBT_USDT.csv`."""
    word = _CUTS.split(path.name)[0]
    known = _known()
    while word:
        if word.upper() in known:
            return known[word.upper()]
        word = word.rpartition("_")[0]
    return None


def _known() -> dict[str, str]:
    return {row["symbol"].upper(): row["symbol"] for row in instruments.rows()}


def _check_symbols(symbols: Sequence[str]) -> None:
    known = list(_known().values())
    for symbol in symbols:
        if symbol not in known:
            mend = did_you_mean(symbol, known, what="instruments")
            raise DataError(
                f'the data is of "{symbol}", which BitMEX did not list; {mend}; '
                "say which it stands for with SYMBOL=PATH",
                code="HB500",
            )


def _overlap(infos: Sequence[SourceInfo]) -> tuple[int, int]:
    """The span that all of them cover."""
    start, end = max(info.start for info in infos), min(info.end for info in infos)
    if start >= end:
        spans = "; ".join(f"{info.name}: {iso(info.start)}..{iso(info.end)}" for info in infos)
        raise DataError(f"what is played together has to overlap in time: {spans}", code="HB503")
    return start, end


class Printed:
    """A file's rows with its candles told as prints: open, the two extremes, close, each with its share of the volume.

    Which extreme came first is not recorded: the one that the candle closed away from.
    """

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self._info = source.info()
        intervals = (one for found in self._info.intervals.values() for one in found)
        self._longest = max((interval_ns(one) for one in intervals), default=0)

    def info(self) -> SourceInfo:
        """As the file's, of trades instead of candles."""
        kinds = {
            symbol: frozenset(Rows.TRADE if kind is Rows.CANDLE else kind for kind in found)
            for symbol, found in self._info.kinds.items()
        }
        return replace(self._info, kinds=kinds, intervals={}, start=self._info.start - self._longest)

    def windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        """Rows with start <= ts < end; a candle that closes after the end may print before it."""
        for window in self._source.windows(start, min(end + self._longest, NEVER)):
            yield [(_prints(batch) if batch.kind is Rows.CANDLE else batch).between(start, end) for batch in window]


def _shares(volume: Floats, count: Ints) -> Floats:
    """The volume over `count` prints of a candle: equal and whole as far as they can be, the close takes the rest.

    Whole contracts, or millionths of a coin: what is rounded print by print would not add up to the candle's volume.
    """
    step = np.where(volume == np.floor(volume), 1.0, 1e-6)
    parts = np.maximum(count, 1)
    share = np.floor(volume / parts / step) * step
    share = np.where(share > 0, share, volume / parts)
    qty = np.repeat(share[:, None], 4, axis=1)
    qty[:, 3] = volume - share * (parts - 1)
    return qty


def _prints(candles: Batch) -> Batch:
    """Four prints a candle, fewer where fewer were counted, none where nobody traded."""
    open_ts, opened, high, low, close, volume, trades = candles.columns
    up = close >= opened
    first, second = np.where(up, low, high), np.where(up, high, low)
    prices = np.stack([np.clip(opened, low, high), first, second, close], axis=1)
    length = candles.ts - open_ts
    count = np.where(trades < 0, np.where(volume > 0, 4, 0), np.minimum(trades, 4))
    # Of two trades the close was one extreme, and the other trade the other.
    prices[:, 2] = np.where(count == 2, np.where(close == high, low, high), prices[:, 2])
    places = np.array([1, 3, 5, PARTS_OF_CANDLE])
    # The close is printed a microsecond before the candle's end: at the end the next one begins.
    times = open_ts[:, None] + length[:, None] * places // PARTS_OF_CANDLE - (places == PARTS_OF_CANDLE) * 1000
    wanted = np.arange(4)[None, ::-1] < count[:, None]  # the close first, then the extremes
    sides = np.sign(np.diff(prices, axis=1, prepend=prices[:, :1]))
    qty = _shares(volume, count)
    columns = (np.where(sides >= 0, 1, -1).astype(np.int64), prices, qty)
    return Batch(candles.symbol, Rows.TRADE, times[wanted], tuple(column[wanted] for column in columns))
