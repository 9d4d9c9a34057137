"""The skeleton of a project: a folder with a first strategy, its test, its config, and what keeps them sound."""

from __future__ import annotations

from hbkit.skeletons.market import Market
from hbkit.skeletons.names import Named
from hbkit.skeletons.strategy import SCHEMA, strategy
from hbkit.skeletons.writing import File, made

FIRST = Named("first")
"""The strategy that a new project begins with."""


def project(name: str, market: Market | None, schema: str) -> list[File]:
    """A folder NAME: README, requirements, tools' settings, CI, a schema for editors, and the first strategy."""
    exchange = "" if market is None else f"{market.distribution}\n"
    listing = [
        made("project/README.md", "README.md", project=name, name=FIRST.name),
        made("project/requirements.txt", "requirements.txt", exchange=exchange),
        made("project/pyproject.toml", "pyproject.toml"),
        made("project/workflow.yml", ".github/workflows/tests.yml", name=FIRST.name),
        made("gitignore", ".gitignore"),
        File(SCHEMA, schema),
        *strategy(FIRST, market, schema=True),
    ]
    return [File(f"{name}/{one.path}", one.text) for one in listing]
