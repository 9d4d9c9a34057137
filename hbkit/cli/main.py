"""Finds the command, runs it, and turns errors into one message and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

import click

from hbkit.cli.output import print_json, say
from hbkit.errors import ConfigError, HbkitError, UsageError, did_you_mean
from hbkit.version import VERSION

COMMANDS = {
    "run": "Run a config: the main job.",
    "backtest": "Run a config over recorded data.",
    "check": "Find every fault of a config; sends nothing.",
    "report": "Show a run again and rewrite its page.",
    "runs": "List the runs.",
    "compare": "Two runs side by side: where they part, and why.",
    "new": "A strategy, an exchange or a project to begin with.",
    "schema": "The JSON schema of a config, for editors.",
    "plugins": "What is installed and loaded, and the hooks.",
    "exchanges": "The exchanges that plugins offer.",
    "strategies": "The strategies that plugins and files offer.",
    "instruments": "What an exchange trades: symbols, units, grid and fees.",
    "candles": "Closed candles, as a table or a file.",
    "book": "The order book at this moment.",
    "balances": "The account's money.",
    "orders": "The account's open orders.",
    "positions": "The account's positions.",
    "position-mode": "Show or switch the account's position mode.",
    "flatten": "Cancel every order, close every position.",
    "connect": "Ask for an exchange's key, verify it, keep it.",
    "disconnect": "Forget an exchange's key.",
    "compliance": "Prove an exchange's connector, case by case.",
}
"""Every command with its line in the help; the module of the same name holds it."""


class Commands(click.Group):
    """A group that imports a command when it is called, and asks plugins for the ones it does not know."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of use."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, from its module or from a plugin."""
        del ctx
        if cmd_name in COMMANDS:
            command: click.Command = import_module(f"hbkit.cli.{cmd_name.replace('-', '_')}").command
            return command
        return _guest(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name for an unknown command."""
        if args and self.get_command(ctx, args[0]) is None:
            known = {*COMMANDS, *_guests()}
            raise UsageError(f'no command "{args[0]}"; {did_you_mean(args[0], known, what="commands")}')
        return super().resolve_command(ctx, args)


def _guest(name: str) -> click.Command | None:
    """A command that an installed plugin offers."""
    found = _guests().get(name)
    return found if isinstance(found, click.Command) else None


@cache
def _guests() -> dict[str, Any]:
    """The commands of all installed plugins, which are loaded before a name is refused; broken ones are named."""
    from hbkit.plugins import Plugins

    plugins = Plugins()
    for broken in plugins.load_all():
        say(str(broken), err=True)
    return dict(plugins.commands())


class Interrupted(HbkitError):
    """Ctrl-C where no run is on."""

    code = "HB002"
    exit_code = 130


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, message="hbkit %(version)s")
def cli() -> None:
    """A trading strategy is one small file; everything else is a plugin."""


def run_cli(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        # A name that the locale cannot show is escaped; printing it must not be what fails.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code = _run(words)
    _let_go_of_stdout()
    sys.exit(code)


def _let_go_of_stdout() -> None:
    """Flush now: the interpreter would do it while it ends, and change the exit code over a reader that has gone."""
    try:
        sys.stdout.flush()
    except OSError:  # a pipe without a reader, a terminal that was closed
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(words: list[str]) -> int:
    debug = "--debug" in words
    try:
        # Not `cli.main`, which leaves with 1 when a reader has gone.
        with cli.make_context("hbkit", list(words) or ["--help"]) as context:
            result: Any = cli.invoke(context)
    except click.exceptions.Exit as leave:
        return int(leave.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _fail(Interrupted("interrupted before there was anything to report"), words)
    except click.UsageError as error:
        where = f"; see {error.ctx.command_path} --help" if error.ctx is not None else ""
        return _fail(UsageError(f"{error.format_message().rstrip('.')}{where}"), words)
    except click.ClickException as error:
        return _fail(UsageError(error.format_message()), words)
    except BrokenPipeError:
        return 0
    except OSError as error:
        if error.errno == errno.EIO:
            return 0  # the terminal is gone, and with it whoever would have read
        return _fail(_internal(error, debug), words)
    except HbkitError as error:
        if debug:
            traceback.print_exc()
        return _fail(error, words)
    except Exception as error:  # noqa: BLE001 - the last line of defence: said, with the way to the traceback
        return _fail(_internal(error, debug), words)
    return result if isinstance(result, int) else 0


def _internal(error: Exception, debug: bool) -> HbkitError:
    if debug:
        traceback.print_exc()
    return HbkitError(f"internal error: {type(error).__name__}: {error}; --debug shows where")


def _fail(error: HbkitError, words: list[str]) -> int:
    say(str(error), err=True)
    if "--json" in words:
        message = "\n".join(map(str, error.faults)) if isinstance(error, ConfigError) else error.message
        print_json({"error": {"code": error.code, "message": message}, "exit_code": error.exit_code})
    return error.exit_code
