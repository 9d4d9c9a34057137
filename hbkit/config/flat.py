"""A config as one line for each value, by its path: what a run keeps so that two of them can be held side by side."""

from __future__ import annotations

from collections.abc import Sequence

from hbkit.config.node import KeyPath, Node, is_secret, scalars
from hbkit.log import MASK


def flat(root: Node, names: Sequence[str] = ()) -> dict[str, str]:
    """`{"strategies.maker.params.qty": "100"}`: each value as it was written, overrides in place, secrets masked.

    What comes from outside stays the reference that was written (`${NAME}`): it may be a secret under any key.

    :param names: the strategies' names; they stand in the paths in place of numbers, which depend on the order.
    """
    return {_path(path, names): MASK if is_secret(path) else _text(node) for path, node in scalars(root)}


def _path(path: KeyPath, names: Sequence[str]) -> str:
    parts = [str(part) for part in path]
    if len(path) > 1 and path[0] == "strategies" and isinstance(path[1], int) and path[1] < len(names):
        parts[1] = names[path[1]]
    return ".".join(parts)


def _text(node: Node) -> str:
    return node.written or ("" if node.value is None else str(node.value))
