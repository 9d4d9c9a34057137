"""What is built has its paragraph, and what has one is built: commands, flags, hooks, callbacks, strategy calls.

Config keys are held by tests/config/test_docs.py, capabilities and the connector contract by test_exchange_author.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hbkit import hookspecs
from hbkit.cli import main as command_line
from hbkit.trading.strategy import CALLBACKS, Strategy
from tests.docs.pages import DOCS, pages

COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")
SECTIONS = re.split(r"^## ", COMMANDS, flags=re.MULTILINE)
EVERYWHERE = {"--help", "--json", "--debug"}
"""Told once, at the head of the page."""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that is built in or comes with the plugins of this project, by the words that call it."""
    with click.Context(command_line.cli) as context:
        for name in (*command_line.COMMANDS, *command_line._guests()):
            found = command_line.cli.get_command(context, name)
            assert found is not None
            yield from unfolded(context, name, found)


def unfolded(context: click.Context, name: str, found: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(found, click.Group):
        yield name, found
        return
    for inner in found.list_commands(context):
        below = found.get_command(context, inner)
        assert below is not None
        yield from unfolded(context, f"{name} {inner}", below)


BUILT = dict(commands())


def flags(found: click.Command) -> set[str]:
    options = (one for one in found.params if isinstance(one, click.Option) and not one.hidden)
    return {name for one in options for name in one.opts if name.startswith("--")}


def told(text: str) -> set[str]:
    """The flags that a text tells of."""
    return set(re.findall(r"`(?:[a-z][\w -]* )?(--[a-z][a-z-]*)", text))


def about(name: str) -> str:
    """The sections that tell of a command, by its name or by one of a list of names."""
    own = [one for one in SECTIONS if re.search(rf"`hbkit {name}\b|^`{name}`|(?:^|\. )`{name}` ", one, re.MULTILINE)]
    return "\n".join(own)


@pytest.mark.parametrize("name", BUILT)
def test_command_and_its_flags_have_their_paragraph(name: str) -> None:
    section = about(name)
    assert section, f"docs/commands.md has no paragraph about `hbkit {name}`"
    left = flags(BUILT[name]) - told(section) - EVERYWHERE
    assert not left, f"docs/commands.md says nothing of {sorted(left)} where it tells of `hbkit {name}`"


def test_no_command_is_told_of_that_is_not_there() -> None:
    words = {name.split()[0] for name in BUILT}
    named = set(re.findall(r"(?:`|^)hbkit ([a-z][\w-]*)", COMMANDS, re.MULTILINE))
    assert named - words == set()
    assert told(SECTIONS[0]) | {"--help"} >= EVERYWHERE


def test_no_page_names_a_command_that_is_not_there() -> None:
    words = {name.split()[0] for name in BUILT}
    for path in pages():
        named = set(re.findall(r"`hbkit ([a-z][\w-]*)", path.read_text(encoding="utf-8")))
        assert named - words == set(), path.name


def test_no_flag_is_told_of_that_is_not_there() -> None:
    every = set().union(*(flags(one) for one in BUILT.values())) | EVERYWHERE
    for section in SECTIONS:
        assert told(section) - every == set(), section.splitlines()[0]


# -- what authors write


def page(name: str) -> str:
    path: Path = DOCS / name
    if not path.exists():
        pytest.skip(f"docs/{name} is still to be written")
    return path.read_text(encoding="utf-8")


def paragraphs(text: str, pattern: str) -> set[str]:
    """The names that begin a paragraph, an item or a row of a table, or stand in a heading."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    found = set()
    for line in text.splitlines():
        begins = re.match(r"(?:\| |- |#+ )?((?:\*\*)?`[^`]+`(?:\*\*)?(?:(?:,| and|, and) `[^`]+`)*)", line)
        if begins:
            found |= set(re.findall(rf"`(?:self\.)?({pattern})\b", begins[1]))
    return found


HOOKS = {name for name in vars(hookspecs) if name.startswith("hbkit_")}
CALLS = {name for name in vars(Strategy) if not name.startswith(("_", "on_"))}


def test_each_hook_has_its_paragraph() -> None:
    assert paragraphs(page("hooks.md"), r"hbkit_\w+") == HOOKS


def test_each_callback_has_its_paragraph() -> None:
    assert paragraphs(page("strategies.md"), r"on_[a-z_]+") - {"on_error:"} >= set(CALLBACKS)
    assert set(re.findall(r"`(on_[a-z_]+)`", page("strategies.md"))) <= {*CALLBACKS, "on_error", "on_existing"}


def test_each_call_of_a_strategy_has_its_paragraph() -> None:
    assert CALLS - paragraphs(page("strategies.md"), r"[a-z_]+") == set()


@pytest.mark.parametrize("heading", ["name", "call"])
def test_no_call_is_told_of_that_is_not_there(heading: str) -> None:
    text = page("strategies.md")
    if f"\n| {heading} |" not in text:
        pytest.skip(f"docs/strategies.md has no table of each {heading}")
    table = text.split(f"\n| {heading} |", 1)[1].split("\n\n", 1)[0]
    told = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert told
    assert told - CALLS == set()
