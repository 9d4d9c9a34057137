"""The skeleton of a strategy: a file, its test and a config; or the same as a distribution that others can install."""

from __future__ import annotations

from hbkit.skeletons.market import Market
from hbkit.skeletons.names import Named
from hbkit.skeletons.writing import File, made

SCHEMA = "hbkit.schema.json"
"""What editors check configs by, where a folder has it."""


def strategy(names: Named, market: Market | None, *, schema: bool = False) -> list[File]:
    """Files for the current folder: `strategies/NAME.py`, its test, and a config where there is a market for it.

    :param schema: whether the folder has a schema for editors, which the config's first line then names.
    """
    words = {"name": names.name, "cls": names.cls}
    return [
        made("strategy.py", f"strategies/{names.name}.py", **words, hookimpl="", hook=""),
        made("test_strategy.py", f"strategies/test_{names.name}.py", **words),
        *([] if market is None else [config(names, market, schema=schema)]),
    ]


def strategy_package(names: Named, market: Market | None, schema: str) -> list[File]:
    """A folder `hbkit-NAME`: a distribution with an entry point, its tests, a config, CI and a schema for editors."""
    words = {"name": names.name, "cls": names.cls, "package": names.package, "distribution": names.distribution}
    hook = made("package/hook.py", "", **words).text
    listing = [
        made("strategy.py", f"{names.package}/__init__.py", **words, hookimpl=", hookimpl", hook=hook),
        File(f"{names.package}/py.typed", ""),
        made("package/test_strategy.py", f"tests/test_{names.name}.py", **words),
        made("package/pyproject.toml", "pyproject.toml", **words),
        made("package/README.md", "README.md", **words),
        made("package/workflow.yml", ".github/workflows/tests.yml"),
        made("gitignore", ".gitignore"),
        File(SCHEMA, schema),
        *([] if market is None else [config(names, market, schema=True)]),
    ]
    return [File(f"{names.distribution}/{one.path}", one.text) for one in listing]


def config(names: Named, market: Market, *, schema: bool) -> File:
    """A config that runs the strategy on a market."""
    line = f"# yaml-language-server: $schema=../{SCHEMA}\n" if schema else ""
    found = made(
        "config.yaml", f"configs/{names.name}.yaml",
        name=names.name, exchange=market.exchange, symbol=market.symbol, qty=market.qty,
    )  # fmt: skip
    return File(found.path, line + found.text)
