"""Many random flows against the reference: `python -m tests.matching.campaign --flows 10000 --seed 0`.

Prints progress and, for each failing seed, the shortest flow that still fails and the line that plays it again.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from hbkit.clock import SystemClock
from tests.matching.flows import make_flow
from tests.matching.play import Play, check, finding


def main() -> int:
    """Run the campaign; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    arguments = parser.parse_args()
    failed = 0
    for number in range(arguments.flows):
        flow = make_flow(arguments.seed + number)
        if check(flow):
            failed += 1
            print(finding(flow), end="\n\n")
            if failed >= arguments.failures:
                break
        if (number + 1) % 500 == 0:
            print(f"{number + 1} flows, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
