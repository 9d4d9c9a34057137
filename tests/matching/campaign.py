"""Many random flows against the reference: `python -m tests.matching.campaign --flows 10000 --seed 0`.

Says how far it is and shows, for each failing seed, the shortest flow that still fails and the line to play it again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from hbkit.clock import monotonic
from tests.matching.flows import make_flow
from tests.matching.play import check, finding


def campaign(flows: int, seed: int, failures: int, say: Callable[[str], None]) -> int:
    """Play `flows` flows from `seed` on; returns how many failed, at most `failures`."""
    failed, started = 0, monotonic()
    for number in range(flows):
        flow = make_flow(seed + number)
        if check(flow):
            failed += 1
            say(finding(flow) + "\n\n")
            if failed >= failures:
                break
        if (number + 1) % 500 == 0 or number + 1 == flows:
            rate = (number + 1) / (monotonic() - started)
            say(f"{number + 1} flows, {failed} failed, {rate:.0f} a second\n")
    return failed


def main() -> int:
    """The command line; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    arguments = parser.parse_args()
    return 1 if campaign(arguments.flows, arguments.seed, arguments.failures, _say) else 0


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
