"""References: what is filled in, how it is read, and what is said where it cannot be."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from hbkit.config.document import read_document
from hbkit.config.interpolate import interpolate
from hbkit.config.node import plain
from hbkit.errors import Faults

ENVIRON = {"QTY": "100", "SMALL": "1e-8", "WORD": "grid", "EMPTY": "", "OCTAL": "010", "NO": "no", "NEST": "${QTY}",
           "LIST": "[1, 2]", "TRUE": "true", "NOTHING": "null"}  # fmt: skip


def fill(written: str, folder: Path = Path()) -> tuple[object, list[tuple[str, str, str]]]:
    faults = Faults()
    root = read_document(f"k: {written}", "x.yaml", faults)
    assert root is not None
    interpolate(root, folder, ENVIRON, faults)
    tree = plain(root)
    assert isinstance(tree, dict)
    return tree["k"], [(fault.code, fault.place, fault.message) for fault in faults.found]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${QTY}", 100),
        ('"${QTY}"', 100),
        ("${SMALL}", Decimal("1e-8")),
        ("${TRUE}", True),
        ("${WORD}", "grid"),
        ("x-${WORD}-${QTY}", "x-grid-100"),
        ("${QTY}s", "100s"),
        ("${GONE:-5}", 5),
        ("${GONE:-}", ""),
        ("${EMPTY:-5}", 5),
        ("${EMPTY}", ""),
        ("${QTY:-5}", 100),
        ("${GONE:-a:-b}", "a:-b"),
        ("$${QTY}", "${QTY}"),
        ("a $${QTY} ${QTY}", "a ${QTY} 100"),
        ("$QTY", "$QTY"),
        ("a$", "a$"),
        ("${NEST}", "${QTY}"),
        ("${LIST}", "[1, 2]"),
        ("${OCTAL}", "010"),
        ("${NO}", "no"),
        ("${NOTHING}", None),
    ],
)
def test_reference_is_filled_in(written: str, value: object) -> None:
    assert fill(written) == (value, [])


@pytest.mark.parametrize(
    ("written", "part"),
    [
        ("${GONE}", "environment variable GONE is not set; set it, or write ${GONE:-default}"),
        ("a ${GONE} b", "environment variable GONE is not set"),
        ("${keyring:a}", "a keyring's entry is named ${keyring:service/name}"),
        ("${file:gone.txt}", 'file "gone.txt" is not found; a relative path starts in the config\'s folder'),
        ("${file:}", "names no file"),
        ("${file:.}", 'file "." is a directory'),
        ("${file:/dev/null}", "it is not a plain file"),
        ("${file:big.txt}", "larger than 64 KiB"),
        ("${file:binary}", "is not UTF-8 text"),
        ("${QTY", 'has no "}"'),
        ("${A:-${QTY}}", "holds another one"),
        ("${}", "is not a reference"),
        ("${a b}", '"${a b}" is not a reference; write ${NAME}'),
    ],
)
def test_reference_that_cannot_be_filled_in_has_its_place(tmp_path: Path, written: str, part: str) -> None:
    (tmp_path / "big.txt").write_text("x" * (64 * 1024 + 1))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    _, [(code, place, message)] = fill(written, tmp_path)
    assert (code, place) == ("HB110", "x.yaml:1:4")
    assert part in message


def test_file_is_read_from_the_folder_without_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "qty.txt").write_bytes(b"12\r\n")
    assert fill("${file:qty.txt}", tmp_path) == (12, [])
    assert fill(f"${{file:{tmp_path / 'qty.txt'}}}") == (12, [])


@pytest.mark.parametrize("written", ["${hunter2!}", "${file:hunter2}", "${hunter2", "hunter2 ${"])
def test_secret_is_not_spelled_out(written: str) -> None:
    faults = Faults()
    root = read_document(f"api_secret: '{written}'", "x.yaml", faults)
    assert root is not None
    interpolate(root, Path(), {}, faults)
    [fault] = faults.found
    assert "hunter2" not in fault.message


def test_an_entry_of_the_keyring_is_filled_in(ring) -> None:
    ring.set_password("mine", "bitmex/main", "tulip")
    assert fill("${keyring:mine/bitmex/main}") == ("tulip", [])
    _, [(code, place, message)] = fill("${keyring:a/b}")
    assert (code, place) == ("HB110", "x.yaml:1:4")
    assert message.startswith('the keyring has no entry "a/b"')


def test_without_a_keyring_a_reference_to_it_has_its_place() -> None:
    _, [(code, place, message)] = fill("${keyring:a/b}")
    assert (code, place) == ("HB110", "x.yaml:1:4")
    assert message.startswith("there is no keyring here")
