"""What an unquoted word of a config means: YAML 1.2 core scalars, and an error where older YAML reads it otherwise.

A number is a whole number without leading zeros (`int`) or a decimal with or without exponent (`Decimal`, exact).
`no`, `010`, `12:30` and the like mean one thing to some programs and another to others: they are traps, not guesses.
"""

from __future__ import annotations

import re
from decimal import Decimal

from hbkit.config.node import Scalar, shown

_CONSTANTS: dict[str, Scalar] = {"": None, "~": None}
_CONSTANTS |= dict.fromkeys(("null", "Null", "NULL"))
_CONSTANTS |= dict.fromkeys(("true", "True", "TRUE"), True)
_CONSTANTS |= dict.fromkeys(("false", "False", "FALSE"), False)
_OLD_BOOLS = {"yes": "true", "on": "true", "no": "false", "off": "false"}

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE]([-+]?[0-9]+))?")
_LEADING_ZERO = re.compile(r"([-+]?)0+([0-9]+)")
_BASED = re.compile(r"[-+]?0(?:x[0-9a-fA-F_]+|o[0-7]+|b[01_]+)")
_UNDERSCORES = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?")
_SIXTIES = re.compile(r"[-+]?[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_LONGEST = 60
_LARGEST_EXPONENT = 300


class Trap(ValueError):
    """The word reads differently elsewhere, or is a number beyond use; the message names the mend."""


def read_scalar(text: str) -> Scalar:
    """The value of an unquoted word. Raises Trap."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    first = text[0]
    if not (first.isascii() and (first.isdigit() or first in "+-.noyNOY")):
        return text
    if _INT.fullmatch(text):
        return int(_bounded(text))
    if _LEADING_ZERO.fullmatch(text) is None and (number := _DECIMAL.fullmatch(text)):
        return _decimal(text, number.group(1))
    _check_traps(text)
    return text


def _bounded(text: str) -> str:
    if len(text) > _LONGEST:
        raise Trap(f"a number of {len(text)} digits is too long; put it in quotes if it is a text")
    return text


def _decimal(text: str, exponent: str | None) -> Decimal:
    _bounded(text)
    if exponent is not None and abs(int(exponent)) > _LARGEST_EXPONENT:
        raise Trap(f'"{text}" is a number out of reach; put it in quotes if it is a text')
    return Decimal(text)


def _check_traps(text: str) -> None:
    word = shown(text)
    if (meant := _OLD_BOOLS.get(text.lower())) and text in (text.lower(), text.upper(), text.capitalize()):
        raise Trap(f'"{word}" reads as {meant} in older YAML; write "{word}" in quotes or {meant}')
    if match := _LEADING_ZERO.fullmatch(text):
        sign, digits = match.groups()
        number = sign.replace("+", "") + (digits.lstrip("0") or "0")
        reading = f" reads as {_octal(text)} in older YAML" if _octal(text) else " has leading zeros"
        raise Trap(f'"{word}"{reading}; write {shown(number)}, or "{word}" in quotes')
    if _BASED.fullmatch(text):
        raise Trap(f'"{word}" reads as a number to other programs; write it in decimal, or "{word}" in quotes')
    if _UNDERSCORES.fullmatch(text):
        number = shown(text.replace("_", ""))
        raise Trap(f'"{word}" reads as {number} in older YAML; write {number}, or "{word}" in quotes')
    if _SIXTIES.fullmatch(text):
        raise Trap(f'"{word}" reads as {_sixties(text)} in older YAML; write "{word}" in quotes')
    if _NOT_FINITE.fullmatch(text):
        raise Trap(f'"{word}" is not a finite number; write a number, or "{word}" in quotes')


def _octal(text: str) -> str:
    if len(text) > _LONGEST:
        return ""
    try:
        return str(int(text, 8))
    except ValueError:
        return ""


def _sixties(text: str) -> str:
    if len(text) > _LONGEST:
        return "a number"
    total = Decimal(0)
    for part in text.lstrip("+-").split(":"):
        total = total * 60 + Decimal(part)
    return f"{'-' if text.startswith('-') else ''}{total}"
