"""The page "From Hummingbot", followed: its strategy and its config are written down as it says, checked and run."""

from __future__ import annotations

from tests.docs.pages import DOCS, blocks
from tests.docs.test_blocks import lines, parsed
from tests.workbench import Bench

PAGE = list(blocks(DOCS / "from-hummingbot.md"))


def block_of(language: str) -> str:
    (text,) = [block.text for block in PAGE if block.language == language]
    return text


def test_the_ported_strategy_runs_as_the_page_says(bench: Bench) -> None:
    bench.write("strategies/pure_maker.py", block_of("python"))
    bench.write("configs/pure_maker.yaml", block_of("yaml"))
    checked = bench.hbkit("check", "configs/pure_maker.yaml")
    assert checked.code == 0, checked.err
    assert "contract of 1 USD" in checked.out
    ran = bench.hbkit("run", "configs/pure_maker.yaml", "--virtual", "--set", "run.duration=60s", "--json")
    assert ran.code == 0, ran.err
    told = ran.json
    # Quoted after 15, 30, 45 seconds: three levels on each side, amended after that.
    assert told["orders"] >= 6
    assert told["rejects"] == 0


def test_every_command_of_the_page_is_one() -> None:
    told = [parsed(words[1:]) for block in PAGE if block.language == "sh" for words in lines(block)]
    assert told == ["check", "run", "run", "connect", "run"]


def test_a_side_falls_silent_at_its_limit_and_both_are_back_below_it(bench: Bench) -> None:
    bench.write("strategies/pure_maker.py", block_of("python"))
    bench.write("configs/pure_maker.yaml", block_of("yaml"))
    ran = bench.hbkit(
        "run", "configs/pure_maker.yaml", "--virtual", "--json", "--set", "run.duration=60s",
        "--set", "strategies.0.params.bid_spread=0.0001", "--set", "strategies.0.params.ask_spread=0.0001",
        "--set", "strategies.0.params.max_inventory=100", "--set", "strategies.0.params.order_refresh_time=1",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.json["fills"] > 0
    # One quote of three levels may fill whole before the next one.
    held = [abs(float(row["qty"])) for row in ran.json["positions"]]
    assert max(held, default=0.0) <= 400
