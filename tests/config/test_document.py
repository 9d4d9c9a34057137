"""The strict reader: what it takes for which value, and where it says that something is wrong."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
import yaml

from hbkit.config import document
from hbkit.config.document import read_document
from hbkit.config.node import find, plain
from hbkit.errors import Faults


@pytest.fixture(params=["C", "Python"])
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both builds of the YAML parser, where the C one is there."""
    name = "CSafeLoader" if request.param == "C" else "SafeLoader"
    if not hasattr(yaml, name):
        pytest.skip("PyYAML was built without its C library")
    monkeypatch.setattr(document, "_LOADER", getattr(yaml, name))


def read(text: str | bytes) -> object:
    faults = Faults()
    root = read_document(text, "x.yaml", faults)
    assert faults.found == []
    assert root is not None
    return plain(root)


def faults_of(text: str | bytes) -> list[tuple[str, str, str]]:
    faults = Faults()
    read_document(text, "x.yaml", faults)
    return [(fault.code, fault.place, fault.message) for fault in faults.found]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("1e-8", Decimal("1e-8")),
        ("0.1", Decimal("0.1")),
        ("0.10000000000000000000000001", Decimal("0.10000000000000000000000001")),
        (".5", Decimal("0.5")),
        ("5.", Decimal(5)),
        ("1E3", Decimal(1000)),
        ("'010'", "010"),
        ('"no"', "no"),
        ('"1"', "1"),
        ("!!str 010", "010"),
        ("!!float 1", 1),
        ("2019-05-28", "2019-05-28"),
        ("60s", "60s"),
        ("5%", "5%"),
        ("y", "y"),
        ("nothing", "nothing"),
        ("BTC/USD:BTC", "BTC/USD:BTC"),
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("|\n  a\n  b", "a\nb"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("_loader")
def test_scalar_is_read_as_yaml_1_2_and_numbers_stay_exact(written: str, value: object) -> None:
    tree = read(f"k: {written}")
    assert tree == {"k": value}
    assert isinstance(tree, dict)
    assert type(tree["k"]) is type(value)


def test_keys_are_always_text() -> None:
    assert read("{1: a, true: b, on: c, 010: d}") == {"1": "a", "true": "b", "on": "c", "010": "d"}


@pytest.mark.parametrize(
    ("written", "part"),
    [
        ("no", '"no" reads as false in older YAML; write "no" in quotes or false'),
        ("Yes", '"Yes" reads as true in older YAML; write "Yes" in quotes or true'),
        ("ON", '"ON" reads as true'),
        ("off", '"off" reads as false'),
        ("010", '"010" reads as 8 in older YAML; write 10, or "010" in quotes'),
        ("-08", '"-08" has leading zeros; write -8, or "-08" in quotes'),
        ("12:30", '"12:30" reads as 750 in older YAML; write "12:30" in quotes'),
        ("-1:00", '"-1:00" reads as -60'),
        ("1_000", '"1_000" reads as 1000 in older YAML; write 1000, or "1_000" in quotes'),
        ("0x1F", '"0x1F" reads as a number to other programs'),
        ("0o17", '"0o17" reads as a number'),
        (".inf", '".inf" is not a finite number'),
        (".NaN", '".NaN" is not a finite number'),
        ("9" * 61, "a number of 61 digits is too long"),
        ("1e999", '"1e999" is a number out of reach'),
        ("!!int ten", "is not what its tag !!int says"),
        ("!!bool 1", "is not what its tag !!bool says"),
    ],
)
@pytest.mark.usefixtures("_loader")
def test_trap_is_an_error_that_says_what_was_meant(written: str, part: str) -> None:
    [(code, place, message)] = faults_of(f"a: 1\nk: {written}\n")
    assert (code, place) == ("HB104", "x.yaml:2:4")
    assert part in message


@pytest.mark.parametrize(
    ("text", "code", "place", "part"),
    [
        pytest.param("a:\n\tb: 1", "HB100", "2:1", "tab used for indentation; use spaces", id="tab"),
        pytest.param("a:\n  b: 1\n \tc: 2", "HB100", "3:2", "tab used for indentation", id="tab-after-space"),
        pytest.param("a:\n  b: 1\n c: 2", "HB100", "3:2", "check the indentation", id="indent-between"),
        pytest.param("a: 1\n  b: 2", "HB100", "2:4", 'this ":" cannot stand here', id="indent-under-scalar"),
        pytest.param("a: b: c", "HB100", "1:5", 'this ":" cannot stand here', id="two-colons"),
        pytest.param("a: [1, 2\nb: 3", "HB100", "2:2", 'closing "]"', id="open-list"),
        pytest.param("a: {x: 1 y}\nb: [1 2", "HB100", None, "closing", id="open-mapping"),
        pytest.param("a: {x: ${Q}}", "HB100", "1:8", "must stand in quotes", id="reference-in-flow"),
        pytest.param("a: 'x\nb: 2", "HB100", "1:4", "never closed", id="open-quote"),
        pytest.param("a: @x", "HB100", "1:4", "cannot start with this character", id="at-sign"),
        pytest.param("a: `x`", "HB100", "1:4", "cannot start with this character", id="backtick"),
        pytest.param('a: "\\q"', "HB100", None, "backslash", id="escape"),
        pytest.param("a: 'x' y", "HB100", "1:8", "a quote that ends early", id="after-quote"),
        pytest.param("a: - b", "HB100", "1:4", "a list item cannot stand here", id="item-in-line"),
        pytest.param("- a\nb: 1", "HB100", "2:1", None, id="key-after-list"),
        pytest.param("a: ]", "HB100", "1:4", "a bracket is one too many", id="bracket"),
        pytest.param("{a: 1}}", "HB100", "1:7", "a bracket may be one too many", id="brace"),
        pytest.param("a: !foo!x 1", "HB100", "1:4", "undefined tag handle", id="tag-handle"),
        pytest.param("a: !!python/object/apply:os.system [ls]", "HB100", "1:4", "the tag !!python", id="python-tag"),
        pytest.param("a: !!python/name:os.system", "HB100", "1:4", "is not read", id="python-name"),
        pytest.param("a: !mine x", "HB100", "1:4", "the tag !mine is not read", id="own-tag"),
        pytest.param("a: !!set {x, y}", "HB100", "1:4", "the tag !!set is not read", id="set-tag"),
        pytest.param("a: !!binary aGk=", "HB100", "1:4", "the tag !!binary is not read", id="binary-tag"),
        pytest.param("a: 1\n---\nb: 2", "HB100", "2:1", "a config is one document", id="two-documents"),
        pytest.param("a: 1\nb: 2\na: 3", "HB102", "3:1", 'key "a" already set on line 1; remove one', id="duplicate"),
        pytest.param("{a: 1, a: 2}", "HB102", "1:8", "already set on line 1", id="duplicate-in-flow"),
        pytest.param("a: *x", "HB100", "1:4", "anchor &x", id="unknown-alias"),
        pytest.param("a: &x [*x]", "HB100", "1:8", "no finished value", id="alias-of-itself"),
        pytest.param("a: &x {b: 1}\nc:\n  <<: *x", "HB100", "3:3", "merge key", id="merge-key"),
        pytest.param("? [a]\n: 1", "HB100", "1:3", "a key must be a text", id="list-as-key"),
        pytest.param("a: &x [1]\n*x : 2", "HB100", "2:1", "a key must be a text", id="list-alias-as-key"),
        pytest.param('a: 1\n"": 2', "HB100", "2:1", "this key is empty", id="empty-key"),
        pytest.param("a: \x07", "HB100", "1:4", "control character U+0007", id="control-character"),
        pytest.param("a: \0", "HB100", "1:4", "control character U+0000", id="nul"),
        pytest.param(b"a: 1\nb: \xff\xfe", "HB100", "2:4", "not a UTF-8 text file", id="binary"),
        pytest.param("a: 1".encode("utf-16"), "HB100", "1:1", "not a UTF-8 text file", id="utf-16"),
        pytest.param(b"\xef\xbb\xbfa: 1", "HB100", "1:1", "byte order mark", id="bom"),
        pytest.param("", "HB100", "1:1", "the file is empty", id="empty"),
        pytest.param("# only\n# comments\n", "HB100", "1:1", "the file is empty", id="comments-only"),
        pytest.param("---\n", "HB100", "1:1", "the file is empty", id="empty-document"),
        pytest.param("[" * 33, "HB100", "1:33", "nested more than 32 deep", id="depth"),
        pytest.param("[" * 3000, "HB100", None, "nested more than 32 deep", id="depth-3000"),
        pytest.param("%YAML 9.9\n---\na: 1", "HB100", "1:1", "incompatible YAML document", id="yaml-version"),
    ],
)
@pytest.mark.usefixtures("_loader")
def test_bad_text_has_its_place(text: str | bytes, code: str, place: str | None, part: str | None) -> None:
    found = faults_of(text)
    assert len(found) == 1
    assert found[0][0] == code
    assert place is None or found[0][1] == f"x.yaml:{place}"
    assert part is None or part in found[0][2]


def test_all_faults_before_broken_syntax_are_kept() -> None:
    found = faults_of("a: no\nb: 010\nb: 1\nc: !x y\nd: [")
    assert [(code, place) for code, place, _ in found] == [
        ("HB104", "x.yaml:1:4"),
        ("HB104", "x.yaml:2:4"),
        ("HB102", "x.yaml:3:1"),
        ("HB100", "x.yaml:4:4"),
        ("HB100", found[-1][1]),
    ]


def test_tags_execute_nothing(tmp_path: object) -> None:
    canary = f"{tmp_path}/canary"
    faults_of(f"a: !!python/object/apply:os.mkdir ['{canary}']\nb: !!python/object/new:os.mkdir ['{canary}']")
    with pytest.raises(FileNotFoundError), open(canary):
        pass


def test_alias_is_a_copy_at_its_own_place() -> None:
    faults = Faults()
    root = read_document("a: &x {q: 1}\nb: *x\n", "x.yaml", faults)
    assert root is not None
    assert plain(root) == {"a": {"q": 1}, "b": {"q": 1}}
    first, second = find(root, ("a",))[0], find(root, ("b",))[0]
    assert (second.place.line, second.place.column) == (2, 4)
    assert first.value is not second.value


def test_alias_bomb_is_a_quick_error() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    started = time.perf_counter()
    [(code, _, message)] = faults_of("\n".join(lines))
    assert time.perf_counter() - started < 1
    assert code == "HB100"
    assert "more than 10,000 values" in message


def test_aliases_cannot_nest_deeper_than_the_limit() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 40)]
    [(code, _, message)] = faults_of("\n".join(lines))
    assert (code, message) == ("HB100", "nested more than 32 deep")


def test_32_levels_are_read() -> None:
    assert read("[" * 32 + "]" * 32)


def test_too_many_values_and_faults_end_the_reading() -> None:
    [(_, _, message)] = faults_of("[" + "a," * 60_000 + "]")
    assert "more than 50,000 values" in message
    assert len(faults_of("[" + "no," * 500 + "]")) == 100


@pytest.mark.parametrize(
    "line",
    [
        "api_key: 0123456",
        "password: !hunter2 x",
        "password: *hunter2",
        "password: !hunter2",
        "secret: {hunter2: 1, hunter2: 2}",
        'token: "hunter2',
        "token: @hunter2",
        'token: "\\hunter2"',
        "password: hunter2: hunter2",
        "token: [hunter2: !hunter2!hunter2 x]",
    ],
)
@pytest.mark.usefixtures("_loader")
def test_secret_is_never_in_a_message(line: str) -> None:
    found = faults_of(f"a: 1\n{line}")
    assert found
    assert not any("hunter2" in message or "0123456" in message for _, _, message in found)
