"""`hbkit import bitmex-archive`: a run in its folder, the same one again, and nothing at all where a file is wrong."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from plugins.bitmex.tests.archive.exported import as_csv, as_json
from plugins.bitmex.tests.archive.ledger import fill, paid, settled
from tests.workbench import Bench

EXCERPT = str(Path(__file__).parent / "data" / "walletHistory-2020-05.csv")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, capsys)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_an_import_is_a_run_that_is_listed_and_shown(bench: Bench) -> None:
    done = bench.hbkit("import", "bitmex-archive", EXCERPT, "--json")
    assert done.code == 0, done.err
    told = done.json
    assert (told["mode"], told["equity"], told["imported_before"]) == ("import", {"XBT": "3.88040858"}, False)
    assert told["untold"]["XBT"] == ["fees", "funding", "unrealized_pnl"]
    (name,) = bench.run_folders
    assert name == told["run_id"] == "bitmex-archive-20200501-20200601-" + told["journal_hash"][:8]
    assert sorted(files(bench.folder / "runs" / name)) == [
        "fills-and-funding.csv", "report.html", "result.json", "wallet.csv"
    ]  # fmt: skip
    assert name in bench.hbkit("runs").out
    shown = bench.hbkit("report", name).out
    assert "3.88040858" in shown
    assert "orders and fills are not told" in shown
    page = (bench.folder / told["report"]).read_text(encoding="utf-8")
    for text in ("By day", "By instrument", "The wallet&#x27;s rows", "ADAM20", "not told", "3.88040858"):
        assert text in page, text
    assert "Fees paid" not in page


def test_importing_twice_is_the_same_run_and_says_so(bench: Bench) -> None:
    first = bench.hbkit("import", "bitmex-archive", EXCERPT)
    (name,) = bench.run_folders
    before = files(bench.folder / "runs" / name)
    again = bench.hbkit("import", "bitmex-archive", EXCERPT, "--json")
    assert f"Imported as {name}" in first.out
    assert f"Imported before, the same run {name}" in again.out
    assert again.json["imported_before"] is True
    assert bench.run_folders == [name]
    assert files(bench.folder / "runs" / name) == before


def test_a_fault_leaves_nothing_behind(bench: Bench) -> None:
    bench.write("bad.csv", "transactTime,transactType,currency,amount\n2020-05-01T12:00:00Z,Deposit,XBt,1.5\n")
    done = bench.hbkit("import", "bitmex-archive", EXCERPT, "bad.csv", "missing.csv", "--json")
    assert done.code == 2
    assert 'error[HB500] "missing.csv" not found' in done.err
    assert done.json["exit_code"] == 2
    done = bench.hbkit("import", "bitmex-archive", EXCERPT, "bad.csv")
    assert 'error[HB512] bad.csv:2 amount "1.5" is no whole number' in done.err
    assert bench.left_behind == []


def test_flags_say_what_a_page_s_export_does_not(bench: Bench) -> None:
    bench.write(
        "page.csv",
        """
        "transactTime","transactType","amount","fee","address","transactStatus","walletBalance"
        "04/02/2020, 13:00:00","RealisedPNL","50","null","XBTUSD","Completed","1050"
        "03/02/2020, 10:00:00","Deposit","1000","null","","Completed","1000"
        """,
    )
    done = bench.hbkit("import", "bitmex-archive", "page.csv", "--currency", "XBt")
    assert "names no zone" in done.err
    words = ("import", "bitmex-archive", "page.csv", "--currency", "XBt", "--zone", "Europe/Berlin")
    assert "is 4 the day or the month? say it with --date-order dmy or mdy" in bench.hbkit(*words).err
    done = bench.hbkit(*words, "--date-order", "dmy", "--name", "mine", "--dir", "kept", "--json")
    assert done.json["run_id"].startswith("mine-20200203-20200204-")
    assert (bench.folder / "kept" / done.json["run_id"] / "report.html").is_file()
    assert "no time zone; write it as Europe/Berlin" in bench.hbkit(*words[:-1], "Berlin").err
    assert '--name "a/b" is to be a folder' in bench.hbkit(*words, "--name", "a/b").err


def test_csv_files_keep_every_cell_and_are_safe_to_open(bench: Bench) -> None:
    odd = paid(1, 1_000, 1_000, text='=cmd|"/C calc"!A0', mood="+good")
    as_csv(bench.folder / "w.csv", [odd, settled(2, -1_000, 0), {**paid(3, 9, None), "transactStatus": "Canceled"}])
    trade = fill("02T10:00", "Buy", 1_000, 50_000.0, -2_000_000, 1_000, clOrdID="@SUM(A1)", hidden="x")
    as_json(bench.folder / "t.json", [trade])
    told = bench.hbkit("import", "bitmex-archive", "w.csv", "t.json", "--json").json
    wallet = list(csv.DictReader(Path(told["wallet_csv"]).read_text(encoding="utf-8").splitlines()))
    assert [(row["kind"], row["counts"], row["place"]) for row in wallet] == [
        ("Deposit", "yes", "w.csv:2"), ("RealisedPNL", "yes", "w.csv:3"), ("Deposit", "no", "w.csv:4")
    ]  # fmt: skip
    assert (wallet[0]["text"], wallet[0]["other"]) == ('\'=cmd|"/C calc"!A0', '{"mood": "+good"}')
    fills = list(csv.DictReader(Path(told["fills_csv"]).read_text(encoding="utf-8").splitlines()))
    assert [(row["kind"], row["qty"], row["net"], row["order"], row["other"]) for row in fills] == [
        ("trade", "1000", "-0.00001000", "'@SUM(A1)", '{"hidden": "x"}')
    ]
