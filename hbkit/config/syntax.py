"""Says in plain words what is wrong where a text is not YAML: the cause and the mend, never a piece of the text itself.

The parser's own words differ between its two builds (with and without the C library) and may quote what stands in the
file, which could be a password; so its problem is recognised by a few words and told anew.
"""

from __future__ import annotations

import re

import yaml

MAX_DEPTH = 32
"""How deep a config may be nested; libyaml has a limit of its own, far above, and stops before it tells anything."""

_MISFIT = "this does not fit the lines above; check the indentation, or a quote that ends early"
_OPEN_QUOTE = "a quote opens here and is never closed"

_TELLINGS = (
    ("tab character", "tab used for indentation; use spaces"),
    ("mapping values are not allowed", 'this ":" cannot stand here; indent the key as its neighbours are, or put quotes'
     ' around a text that holds ": "'),
    ("could not find expected ':'", 'this line has no ":"; write it as key: value'),
    ("did not find expected key", _MISFIT),
    ("expected <block end>", _MISFIT),
    ("'-' indicator", 'this does not fit the list above; start the line with "- ", or check the indentation'),
    ("sequence entries are not allowed", 'a list item cannot stand here; put "- " on a line of its own'),
    ("expected ',' or ']'", 'the list that opens with "[" lacks a comma here, or its closing "]"'),
    ("expected ',' or '}'", 'the mapping that opens with "{" lacks a comma here, or its closing "}"'),
    ("end of stream", _OPEN_QUOTE),
    ("document indicator", _OPEN_QUOTE),
    ("cannot start any token", "a value cannot start with this character; put the value in quotes"),
    ("node content", "a value is missing here, or a bracket is one too many"),
    ("nesting depth", f"nested more than {MAX_DEPTH} deep"),
    ("escape", r"a backslash in double quotes must be \\ or a known escape; single quotes take it as it is"),
    ("document start", "this does not belong to the config; a bracket may be one too many"),
)  # fmt: skip

_UNQUOTED_REFERENCE = 'inside { } or [ ] a "${...}" must stand in quotes: "${NAME}"'


def explain(error: yaml.YAMLError, text: str) -> tuple[str, int, int]:
    """The message for a parser's error, with line and column from 1."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "this is not valid YAML", 1, 1
    problem, mark = error.problem or "", error.problem_mark
    index = min(mark.index, len(text))
    start = max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1
    if tab := re.match(r" *\t", text[start:]):
        return "tab used for indentation; use spaces", mark.line + 1, tab.end()
    if text[max(index - 1, 0) : index + 1] == "${":
        return _UNQUOTED_REFERENCE, mark.line + 1, mark.column
    for words, message in _TELLINGS:
        if words in problem:
            if message == _OPEN_QUOTE and error.context_mark is not None:
                mark = error.context_mark
            return message, mark.line + 1, mark.column + 1
    # The first words are the parser's; what follows them may be the user's.
    words = re.split(r"[,:'\"(]", problem, maxsplit=1)[0].strip()
    return f"this is not valid YAML: {words or 'it cannot be parsed'}", mark.line + 1, mark.column + 1
