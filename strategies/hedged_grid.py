"""A grid on each leg of an account in hedge mode: one buys the way down, the other sells the way up, both at once."""

import math

from hbkit import Param, Quote, Strategy


class HedgedGrid(Strategy):
    """Enter `qty` at each line of both legs, and close each of them `profit` percent further.

    The long leg's lines go down from half a step below the first price, the short leg's up from half a step above. What
    should rest follows from what a leg holds, so a fill in part, a lost connection or a restart needs nothing special.

    It risks a market that walks away: at most `levels * qty` on a leg, which loses with every step beyond the last
    line. It limits its size and not its loss; `risk: {max_drawdown}` of the config does. A `profit` that is less than
    two fees is a loss.
    """

    levels: int = Param(4, ge=1, le=20, doc="lines of each leg")
    step: float = Param(0.1, gt=0, le=4, doc="percent of the first price from line to line")
    profit: float = Param(0.2, gt=0, lt=20, doc="percent of the first price from a line to where it is closed")
    qty: float = Param(1000, gt=0, doc="size at each line, a whole number of lots")

    def on_quote(self, quote: Quote) -> None:
        if math.isnan(quote.mid):
            return  # one side of the book is empty
        away = abs(quote.mid - self.state.get("first", math.inf)) / quote.mid * 100
        if away > self.step and not self.long.qty and not self.short.qty:
            self.state["first"] = quote.mid  # nothing is held that belongs to the old lines
        below, above = self.ladder(self.long.qty, -1), self.ladder(-self.short.qty, 1)
        self.quote(bids=below[0], asks=below[1], post_only=False, position_side="long")
        self.quote(bids=above[1], asks=above[0], post_only=False, position_side="short")

    def ladder(self, held: float, direction: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """What should rest of a leg that holds so much, as (price, qty): the entries, and the exits."""
        first, entries, exits = self.state["first"], [], []
        for level in range(self.levels):
            filled = min(max(held - level * self.qty, 0), self.qty)
            entry = 1 + direction * (level + 0.5) * self.step / 100
            entries.append((first * entry, self.qty - filled))
            exits.append((first * (entry - direction * self.profit / 100), filled))
        return [one for one in entries if one[1]], [one for one in exits if one[1]]
