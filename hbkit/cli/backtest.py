"""`hbkit backtest CONFIG`: the same as `run --mode replay`, with a span of time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from hbkit.cli.run import execute, run_options
from hbkit.config import load_config


@click.command("backtest", short_help="Run a config over recorded data.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--from", "start", metavar="TIME", help="First moment of the data: 2019-05-28 or 2019-05-28T18:30:00Z.")
@click.option("--to", "end", metavar="TIME", help="The moment at which to stop, not included.")
@run_options
def command(config: Path, start: str | None, end: str | None, **options: Any) -> int:
    """Run CONFIG over recorded data, whatever mode it names."""
    more: list[str] = []
    if start is not None or end is not None:
        for name in load_config(config, overrides=options["overrides"], environ=os.environ).settings.exchanges:
            more += [f"exchanges.{name}.replay.from={start}"] if start is not None else []
            more += [f"exchanges.{name}.replay.to={end}"] if end is not None else []
    return execute(config, "replay", more, **options)
