"""Which pairs lead from one currency to another: the way that a report takes to one figure, settled before any price.

A currency has two names where a venue has its own for it (`XBT`) and the unified symbol says another (`BTC`): they are
the same. Two codes that no instrument calls the same are two currencies, also `USD` and `USDT`, unless it is said that
they are at par.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from hbkit.model.instrument import Instrument


class Step(NamedTuple):
    """From one currency to the next: by a pair, or at par where there is no instrument."""

    instrument: Instrument | None
    divides: bool
    """Whether the price divides: from the quote currency to the base."""


Route = tuple[Step, ...]
"""Steps in their order; none where both are the same currency."""
Price = Callable[[Instrument], float | None]


class Routes:
    """The shortest way to one currency from each of the others that lead there."""

    def __init__(self, currency: str, markets: Iterable[Instrument], at_par: Sequence[str] = ()) -> None:
        """
        :param markets: whose prices may be used, the preferred ones first; dated contracts, whose price is that of
            another day, come behind all others.
        :param at_par: currencies of which one counts as one of `currency`.
        """
        self.currency = currency
        self.at_par = tuple(at_par)
        ordered = sorted(markets, key=lambda market: market.expiry is not None)
        self._names = {native: unified for market in ordered for native, unified in _names(market)}
        self._steps: dict[str, list[tuple[str, Step]]] = {}
        for code in at_par:
            self._join(code, currency, Step(None, False), Step(None, False))
        for market in ordered:
            self._join(market.base, market.quote, Step(market, False), Step(market, True))
        self._routes = self._found()

    def of(self, code: str) -> Route | None:
        """The way from a currency, None where no pair leads there."""
        return self._routes.get(self._name(code))

    @property
    def pairs(self) -> list[Instrument]:
        """Every instrument whose price is used by some way."""
        used = (step.instrument for route in self._routes.values() for step in route)
        return list(dict.fromkeys(one for one in used if one is not None))

    def _name(self, code: str) -> str:
        return self._names.get(code, code)

    def _join(self, code: str, other: str, there: Step, back: Step) -> None:
        code, other = self._name(code), self._name(other)
        self._steps.setdefault(code, []).append((other, there))
        self._steps.setdefault(other, []).append((code, back))

    def _found(self) -> dict[str, Route]:
        """Breadth first, from the end of every way; of two as short the one of the earlier instrument."""
        end = self._name(self.currency)
        found: dict[str, Route] = {end: ()}
        waiting = deque([end])
        while waiting:
            code = waiting.popleft()
            for other, step in self._steps.get(code, ()):
                if other not in found:
                    # The step as it is taken towards the end, against the direction of the search.
                    back = Step(step.instrument, step.instrument is not None and not step.divides)
                    found[other] = (back, *found[code])
                    waiting.append(other)
        return found


def rate(route: Route, price: Price) -> float | None:
    """What one unit at the beginning of a route is worth at its end; None while a price is not known."""
    value = 1.0
    for step in route:
        if step.instrument is None:
            continue
        known = price(step.instrument)
        if known is None or not known > 0:
            return None
        value = value / known if step.divides else value * known
    return value


def _names(market: Instrument) -> Iterator[tuple[str, str]]:
    """Native codes that the unified symbol, `BASE/QUOTE:SETTLE-DATE`, calls something else."""
    pair, _, settle = market.unified.partition(":")
    base, slash, quote = pair.partition("/")
    known = [(market.base, base), (market.quote, quote), (market.settle.code, settle.partition("-")[0])]
    for native, unified in known if slash else ():
        if unified and native != unified:
            yield native, unified
