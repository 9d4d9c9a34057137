"""The page about BitMEX names for each thing the test that shows it: the tests are there, and each thing has one."""

from __future__ import annotations

import re

from tests.docs.pages import DOCS, ROOT

PAGE = (DOCS / "bitmex.md").read_text(encoding="utf-8")
PARTS = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
NAMED = re.compile(r"`((?:tests|plugins)/[\w/]+\.py)`")


def test_each_part_ends_with_its_tests_which_are_there() -> None:
    assert len(PARTS) >= 12
    for name, text in PARTS.items():
        assert text.rstrip().endswith("`)"), f"{name} names no test"
        found = NAMED.findall(text)
        assert found, name
        for path in found:
            assert "def test_" in (ROOT / path).read_text(encoding="utf-8"), path


def test_the_codes_of_refused_starts_are_those_that_the_tests_hold() -> None:
    told = set(re.findall(r"`(HB\d+)`", PARTS["Starts that are refused"]))
    named = [*NAMED.findall(PARTS["Starts that are refused"]), "tests/run/test_hosts.py"]
    held = {code for path in named for code in re.findall(r"HB4\d\d", (ROOT / path).read_text(encoding="utf-8"))}
    assert held - {"HB440"} == told
