"""The command line: a file per command, each imported when it is called."""

from hbkit.cli.main import run_cli

__all__ = ["run_cli"]
