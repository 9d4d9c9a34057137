"""Asks a person at a terminal, or reads the answers line by line where there is none."""

from __future__ import annotations

import sys
from getpass import getpass

from hbkit.cli.output import say
from hbkit.errors import UsageError

_TRIES = 3


def answer(question: str, *, hidden: bool = False, optional: bool = False) -> str:
    """The answer to `question`, without the spaces around it; `hidden` ones are not shown while they are typed.

    Raises UsageError where there is none and it is not optional.
    """
    for _ in range(_TRIES if sys.stdin.isatty() else 1):
        text = _line(f"{question} ", hidden=hidden).strip()
        if text or optional:
            return text
    raise UsageError(f'there was no answer to "{question}"; nothing was kept')


def _line(question: str, *, hidden: bool) -> str:
    if sys.stdin.isatty():
        return getpass(question) if hidden else input(question)
    say(question)
    line = sys.stdin.readline()
    if not line:
        raise UsageError(f'standard input ended before the answer to "{question.strip()}"; nothing was kept')
    return line
