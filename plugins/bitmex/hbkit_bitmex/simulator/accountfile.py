"""Accounts of a simulator from a file: `--account @FILE`, with balances and keys that may do more or less.

    accounts:
      - balances: {XBT: 2, USDT: 50000}
        keys:
          - {key: trader, secret: ${TRADER_SECRET}, permissions: [order]}
          - {key: viewer, secret: ${VIEWER_SECRET}}

The keys of one account share its orders and its money. A key without permissions reads; `order` allows everything about
orders and positions, `orderCancel` only cancelling, `withdraw` withdrawals (protocol 3.2). `cidrs` says from where a
key may be used, `enabled: false` switches it off, `row_shape: full` sends it every column (0.3). Without `balances`
the account has the usual ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path

from hbkit.config.check import report
from hbkit.config.document import read_document
from hbkit.config.interpolate import interpolate
from hbkit.config.node import Node, shown
from hbkit.errors import Faults, UsageError, did_you_mean
from hbkit_bitmex import instruments
from hbkit_bitmex.simulator.options import STARTING_BALANCES, PlannedAccount, PlannedKey
from hbkit_bitmex.simulator.shapes import Shape

PERMISSIONS = ("order", "orderCancel", "withdraw")
KEY_NAMES = ("key", "secret", "permissions", "cidrs", "enabled", "row_shape")
CODE = "HB441"
LARGEST_BYTES = 1 << 20


def read_accounts(path: str, environ: Mapping[str, str]) -> tuple[PlannedAccount, ...]:
    """The accounts of a file. Raises ConfigError with every fault and its place, UsageError where it cannot be read."""
    file = Path(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f'account file "{shown(path)}" cannot be read: {error.strerror}', code=CODE) from None
    faults = Faults()
    root = read_document(content, path, faults) if len(content) <= LARGEST_BYTES else None
    if len(content) > LARGEST_BYTES:
        faults.add(CODE, "the file is larger than 1 MiB; a few accounts need a few lines", file=path)
    found: list[PlannedAccount] = []
    if root is not None:
        interpolate(root, file.parent, environ, faults)
        found = _Reader(faults).accounts(root)
    faults.check()
    return tuple(found)


class _Reader:
    """Walks the tree and says everything that is wrong with it."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._names: set[str] = set()

    def accounts(self, root: Node) -> list[PlannedAccount]:
        parts = self._members(root, ("accounts",), "an account file begins with `accounts:`")
        listed = self._list(parts.get("accounts"), root, "accounts", "a list of accounts")
        return [self._account(node) for node in listed]

    def _account(self, node: Node) -> PlannedAccount:
        parts = self._members(node, ("keys", "balances"), "an account has `keys` and, perhaps, `balances`")
        keys = [self._key(one) for one in self._list(parts.get("keys"), node, "keys", "a list of keys")]
        balances = self._balances(parts["balances"]) if "balances" in parts else None
        return PlannedAccount(tuple(keys), balances)

    def _key(self, node: Node) -> PlannedKey:
        parts = self._members(node, KEY_NAMES, "a key has `key` and `secret`")
        name, secret = self._text(parts.get("key"), node, "key"), self._text(parts.get("secret"), node, "secret")
        if name and name in self._names:
            self._fault(f'the key "{shown(name)}" stands above already; give this one another name', parts["key"])
        self._names.add(name)
        enabled = parts["enabled"].value if "enabled" in parts else True
        if not isinstance(enabled, bool):
            self._fault("enabled is true or false", parts["enabled"])
        return PlannedKey(
            name, secret, frozenset(self._permissions(parts)), tuple(self._cidrs(parts)), enabled is not False,
            self._shape(parts.get("row_shape")),
        )  # fmt: skip

    def _shape(self, node: Node | None) -> Shape | None:
        if node is None:
            return None
        if node.value not in set(Shape):
            self._fault("row_shape is sparse or full", node)
            return None
        return Shape(str(node.value))

    def _permissions(self, parts: Mapping[str, Node]) -> Iterable[str]:
        for node in self._words(parts, "permissions", "[order]"):
            if node.value not in PERMISSIONS:
                mend = did_you_mean(str(node.value), PERMISSIONS, what="permissions")
                self._fault(f'there is no permission "{shown(str(node.value))}"; {mend}', node)
            yield str(node.value)

    def _cidrs(self, parts: Mapping[str, Node]) -> Iterable[str]:
        for node in self._words(parts, "cidrs", "[127.0.0.0/8]"):
            try:
                ip_network(str(node.value), strict=False)
            except ValueError:
                self._fault(f'"{shown(str(node.value))}" is no network; write one as 127.0.0.0/8', node)
            yield str(node.value)

    def _words(self, parts: Mapping[str, Node], name: str, example: str) -> list[Node]:
        if name not in parts:
            return []
        return self._list(parts[name], parts[name], name, f"a list such as {example}", empty=True)

    def _balances(self, node: Node) -> dict[str, int]:
        known = {row["majorCurrency"]: row["currency"] for row in instruments.assets()}
        known = {major: minor for major, minor in known.items() if minor in STARTING_BALANCES}
        found = dict.fromkeys(STARTING_BALANCES, 0)
        for major, amount in self._members(node, tuple(known), "balances are amounts by currency").items():
            value = amount.value
            if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or value < 0:
                self._fault(f"{major} is an amount such as 1.5", amount)
                continue
            try:
                found[known[major]] = instruments.currencies()[major].minor(value)
            except ValueError:
                scale = instruments.currencies()[major].scale
                self._fault(f"{value:f} {major} has more than {scale} decimals; round it", amount)
        return found

    # -- parts

    def _members(self, node: Node, known: tuple[str, ...], expected: str) -> dict[str, Node]:
        if not isinstance(node.value, dict):
            self._fault(expected, node)
            return {}
        for name, part in node.value.items():
            if name not in known:
                mend = did_you_mean(name, known, what="keys here")
                report(self._faults, CODE, f'unknown key "{shown(name)}"; {mend}', part, at_key=True)
        return {name: part for name, part in node.value.items() if name in known}

    def _list(self, node: Node | None, above: Node, name: str, expected: str, *, empty: bool = False) -> list[Node]:
        if node is None or not isinstance(node.value, list) or not (node.value or empty):
            if (not above.faulty and isinstance(above.value, (dict, list))) or node is not None:
                self._fault(f"{name} is {expected}", node or above)
            return []
        return node.value

    def _text(self, node: Node | None, above: Node, name: str) -> str:
        if node is None:
            if isinstance(above.value, dict):
                self._fault(f"this key has no `{name}`", above)
            return ""
        if not isinstance(node.value, str) or not node.value:
            if not node.faulty:
                self._fault(f"{name} is a text; put it in quotes", node)
            return ""
        return node.value

    def _fault(self, message: str, node: Node) -> None:
        report(self._faults, CODE, message, node)
