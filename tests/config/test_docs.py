"""The page about configs: every key has its paragraph in its section; tests/docs/ loads its examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from hbkit.config import Settings, load_config

PAGE = (Path(__file__).parents[2] / "docs" / "config.md").read_text(encoding="utf-8")
INLINE = re.findall(r"Example:\s+`([a-z_]+: [^`]*)`", PAGE)


def keys(section: type[BaseModel], top: str = "") -> Iterator[tuple[str, str]]:
    """Each key with the top key that it stands under."""
    for name, info in section.model_fields.items():
        key = info.alias or name
        yield top or key, key
        for block in blocks(info.annotation):
            yield from keys(block, top or key)


def blocks(annotation: Any) -> list[type[BaseModel]]:
    kinds = [annotation, *get_args(annotation)]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


@pytest.mark.parametrize(("top", "key"), sorted(set(keys(Settings))))
def test_key_has_its_paragraph_in_its_section(top: str, key: str) -> None:
    section = PAGE.split(f"\n## {top}\n", 1)[1].split("\n## ", 1)[0]
    assert re.search(rf"^(?:- )?`{key}`: ", section, re.MULTILINE)


def test_page_tells_of_no_key_that_is_not_there() -> None:
    known = {key for _, key in keys(Settings)}
    assert set(re.findall(r"^(?:- )?`([a-z_]+)`: ", PAGE, re.MULTILINE)) <= known


def test_every_field_has_a_description() -> None:
    sections: list[type[BaseModel]] = [Settings]
    for section in sections:
        for name, info in section.model_fields.items():
            assert info.description, f"{section.__name__}.{name}"
            sections += blocks(info.annotation)


@pytest.mark.parametrize("example", INLINE)
def test_one_line_example_is_good_where_its_paragraph_stands(tmp_path: Path, example: str) -> None:
    before = PAGE[: PAGE.index(f"`{example}`")]
    top = re.findall(r"^## (\w+)$", before, re.MULTILINE)[-1]
    head = "exchanges: {bitmex_perpetual: , bitmex: }\n"
    text = {
        "exchanges": f"exchanges: {{a: {{{example}}}}}",
        "strategies": f"{head}strategies: [{{{strategy_with(example)}}}]",
    }.get(top, f"{top}: {{{example}}}" if not example.startswith(f"{top}:") else example)
    (tmp_path / "demo.yaml").write_text(text)
    assert load_config(tmp_path / "demo.yaml", environ={}).faults == []


def strategy_with(example: str) -> str:
    wanted = {"use": "use: u", "exchange": "exchange: bitmex", "instruments": "instruments: [X]"}
    wanted[example.partition(":")[0]] = example
    return ", ".join(wanted.values())
