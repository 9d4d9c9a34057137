"""Counts the statements of Python files, the same way for everybody: what the parser calls one, docstrings left out.

    python tests/ported/statements.py FILE...
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path


def statements(source: str) -> int:
    """Statements of a source at any depth; an `elif` is one, a docstring or a lone `...` is none."""
    tree = ast.parse(source)
    return sum(isinstance(node, ast.stmt) and not _is_constant(node) for node in ast.walk(tree))


def _is_constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(f"{statements(Path(name).read_text(encoding='utf-8')):4} {name}\n")
