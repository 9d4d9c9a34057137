"""A movement on a shared account, divided among the strategies whose positions it is about.

Funding goes by size, in whole minor units; what does not divide stays with the account. A liquidation goes pro rata to
those on the side that is closed, in whole units; what does not divide goes to the account where it holds something that
is no strategy's, else to the largest holder, so that the strategies' positions still add up to the account's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from hbkit.model import Execution, ExecutionKind

Holder = TypeVar("Holder")


def divided(
    execution: Execution, holders: Sequence[tuple[Holder, int]], account: int
) -> list[tuple[Holder, Execution]]:
    """Each holder's part of a system execution; the account's own books take the whole.

    :param holders: the strategies with their signed units, in the order of the config.
    :param account: the account's signed units before the execution.
    """
    if execution.kind is ExecutionKind.FUNDING:
        return _funding(execution, holders, account)
    return _closed(execution, holders, account)


def _funding(
    execution: Execution, holders: Sequence[tuple[Holder, int]], account: int
) -> list[tuple[Holder, Execution]]:
    return [
        (holder, msgspec.structs.replace(execution, units=abs(units), fee=_part(execution.fee, units, account)))
        for holder, units in holders
        if units and account
    ]


def _closed(
    execution: Execution, holders: Sequence[tuple[Holder, int]], account: int
) -> list[tuple[Holder, Execution]]:
    sign = -execution.side.sign
    sizes = [(holder, units * sign) for holder, units in holders if units * sign > 0]
    nobodys = max(0, account * sign - sum(units for _, units in holders) * sign)
    total = sum(size for _, size in sizes) + nobodys
    if not sizes:
        return []
    parts = [min(size, execution.units * size // total) for _, size in sizes]
    left = min(execution.units, total) - sum(parts)
    if not nobodys:
        # The largest first; nobody is closed by more than is held.
        for at in sorted(range(len(sizes)), key=lambda at: -sizes[at][1]):
            more = min(left, sizes[at][1] - parts[at])
            parts[at] += more
            left -= more
    whole = sum(parts) == execution.units
    found: list[tuple[Holder, Execution]] = []
    cost = fee = 0
    for at, ((holder, _), units) in enumerate(zip(sizes, parts, strict=True)):
        last = whole and at == len(parts) - 1
        part = msgspec.structs.replace(
            execution,
            units=units,
            cost=execution.cost - cost if last else _part(execution.cost, units, execution.units),
            fee=execution.fee - fee if last else _part(execution.fee, units, execution.units),
        )
        cost, fee = cost + part.cost, fee + part.fee
        if units:
            found.append((holder, part))
    return found


def _part(amount: int, units: int, total: int) -> int:
    """`amount` times a part of the total, towards zero: what is left over is never more than was there."""
    share = abs(amount) * abs(units) // abs(total)
    return share if (amount >= 0) == ((units >= 0) == (total >= 0)) else -share
