"""Money under random order flows: `python -m plugins.bitmex.tests.simulator.campaign --flows 100000`.

Prints each flow that broke a rule with the line that plays it again, and at the end what was played.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from hbkit.errors import HbkitError
from plugins.bitmex.tests.simulator.flows import Flow, WideFlow

FAULTS = (AssertionError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, HbkitError)
"""What a broken rule, or broken code, shows itself by; the seed is what has to be known."""


def campaign(first: int, flows: int, most_failures: int, kind: type[Flow] = Flow) -> tuple[int, Counter[str]]:
    """How many failed, and what happened in all of them."""
    failed, told = 0, Counter[str]()
    again = " --wide" if kind is WideFlow else ""
    for seed in range(first, first + flows):
        flow = kind(seed)
        try:
            flow.play()
        except FAULTS as error:
            failed += 1
            sys.stdout.write(
                f"flow {seed}: {type(error).__name__}: {error}\n"
                f"  python -m plugins.bitmex.tests.simulator.campaign --first {seed} --flows 1{again}\n"
            )
            if failed >= most_failures:
                break
        for rows in flow.venue.executions.values():
            told.update(_kind(row) for row in rows)
        told["flows"] += 1
    return failed, told


def _kind(row: dict[str, object]) -> str:
    return "Liquidation" if row.get("text") == "Liquidation" else str(row["execType"])


def main() -> int:
    """The command line; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--wide", action="store_true", help="with stops, icebergs, risk limits and contracts that end")
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    chosen = parser.parse_args()
    failed, told = campaign(chosen.first, chosen.flows, chosen.failures, WideFlow if chosen.wide else Flow)
    sys.stdout.write(", ".join(f"{name} {count}" for name, count in sorted(told.items())) + f", failed {failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
