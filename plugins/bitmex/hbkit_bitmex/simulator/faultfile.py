"""Faults from a file: `--faults FILE`, a list in YAML or JSON of what goes wrong when.

    - {at: 30s, fault: cut}
    - {at: 1m, fault: mute, table: order, for: 20s}
    - {at: 2m, every: 5m, fault: lost_reply, verb: POST, route: /order, count: 1}

`at` counts from the moment at which the simulator listens, on the wall clock. All other members are those of
`/control/faults`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hbkit.clock import SECOND, parse_duration
from hbkit.config.check import report
from hbkit.config.document import read_document
from hbkit.config.node import Node, plain, shown
from hbkit.errors import Faults, UsageError, did_you_mean
from hbkit_bitmex import instruments
from hbkit_bitmex.simulator.faults import MEMBERS, Misuse, PlannedFault, read_fault

CODE = "HB443"
LARGEST_BYTES = 1 << 20
TIMES = ("at", "every")
SHORTEST = 0.1
"""Seconds between two times of one fault."""


def read_faults(path: str) -> tuple[PlannedFault, ...]:
    """The plan of a file. Raises ConfigError with every fault and its place, UsageError where it cannot be read."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f'fault file "{shown(path)}" cannot be read: {error.strerror}', code=CODE) from None
    faults = Faults()
    if len(content) > LARGEST_BYTES:
        faults.add(CODE, "the file is larger than 1 MiB; use `every` for what comes again and again", file=path)
        faults.check()
    root = read_document(content, path, faults)
    found: list[PlannedFault] = []
    if root is not None:
        if isinstance(root.value, list):
            found = [planned for node in root.value if (planned := _planned(node, faults)) is not None]
        elif not root.faulty:
            report(faults, CODE, "a fault file is a list: - {at: 30s, fault: cut}", root)
    faults.check()
    return tuple(found)


def _planned(node: Node, faults: Faults) -> PlannedFault | None:
    """One line of the plan; None where something is wrong with it."""
    if not isinstance(node.value, dict):
        if not node.faulty:
            report(faults, CODE, "write a fault as {at: 30s, fault: cut}", node)
        return None
    sent: dict[str, Any] = {name: plain(part) for name, part in node.value.items() if name not in TIMES}
    for name in sent:
        if name not in MEMBERS:
            mend = did_you_mean(name, {*MEMBERS, *TIMES}, what="members")
            report(faults, CODE, f'unknown member "{shown(name)}"; {mend}', node.value[name], at_key=True)
            return None
    try:
        fault = read_fault(sent)
        known = [row["symbol"] for row in instruments.rows()]
        if fault.symbol and fault.symbol not in known:
            mend = did_you_mean(fault.symbol, known, what="instruments")
            raise Misuse("symbol", f'there is no market "{shown(fault.symbol)}"; {mend}')
    except Misuse as misuse:
        report(faults, CODE, str(misuse), node.value.get(misuse.member, node))
        return None
    at, every = _time(node, "at", faults), _time(node, "every", faults)
    if every is not None and every < SHORTEST:
        report(faults, CODE, f"every is at least {SHORTEST} s", node.value["every"])
        return None
    return PlannedFault(fault, at or 0.0, every)


def _time(node: Node, name: str, faults: Faults) -> float | None:
    """Seconds, None where the member is absent or wrong."""
    assert isinstance(node.value, dict)
    part = node.value.get(name)
    if part is None:
        return None
    value = part.value
    try:
        if isinstance(value, (bool, list, dict)) or value is None:
            raise ValueError(f"{name} is a duration such as 30s")
        return parse_duration(str(value)) / SECOND
    except ValueError as error:
        if not part.faulty:
            report(faults, CODE, str(error), part)
        return None
