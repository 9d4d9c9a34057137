"""What a config's `report: {currency}` comes to: which pairs of the run lead there, and what is lacking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hbkit.clock import Clock
from hbkit.config.settings import Report
from hbkit.exchange import Exchange
from hbkit.model import Instrument
from hbkit.model.routes import Routes
from hbkit.runtime.reporting import Valuation, no_route


def routes(wanted: Report, markets: Sequence[Instrument]) -> Routes | None:
    """The ways from the currencies of a run to the one it reports in; None where it reports in none."""
    return None if wanted.currency is None else Routes(wanted.currency, markets, wanted.at_par)


def counted(markets: Sequence[Instrument]) -> list[str]:
    """The currencies that a run trades with: what its markets settle in, and what spot hands over."""
    codes = [code for one in markets for code in (one.settle.code, *([one.base] if one.is_spot else ()))]
    return list(dict.fromkeys(codes))


def lacking(wanted: Report, markets: Sequence[Instrument]) -> Iterator[str]:
    """Why some currency of the run has no way to the one it reports in."""
    ways = routes(wanted, markets)
    for code in counted(markets) if ways is not None else ():
        if ways is not None and ways.of(code) is None:
            yield no_route(code, ways.currency)


def valuation(
    wanted: Report, markets: Sequence[Instrument], exchanges: Mapping[str, Exchange], clock: Clock
) -> Valuation | None:
    """What values a run's money in the currency it reports in; None where it reports in none."""
    ways = routes(wanted, markets)
    return None if ways is None else Valuation(ways, counted(markets), exchanges, clock)
