"""`python -m benchmarks [NAME] [--json]`: run one benchmark, or all of them."""

from __future__ import annotations

import argparse
import json
from importlib import import_module

NAMES = {
    "replay": "candles and trades through a config, beside a plain Python loop over the same rows",
    "state": "BitMEX's simulator with a state file, beside one without",
}


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(NAMES), help="; ".join(f"{k}: {v}" for k, v in NAMES.items()))
    parser.add_argument("--rows", type=int, default=200_000, help="rows of each workload (default 200000)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each; the median counts (default 3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    arguments = parser.parse_args()
    results = {}
    for name in [arguments.name] if arguments.name else sorted(NAMES):
        module = import_module(f"benchmarks.{name}")
        results[name] = module.measure(arguments.rows, arguments.repeat)
        print(module.text(results[name]))
    if arguments.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
