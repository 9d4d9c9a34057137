"""Series of a run that goes on for long: as many points as a page can show, from the first to the newest."""

from hbkit.clock import SECOND
from hbkit.runtime.record import POINTS, Recorder
from hbkit.testing.fake import COIN


def test_a_week_of_seconds_is_thinned_and_keeps_its_ends() -> None:
    recorder = Recorder()
    last = 7 * 86_400 // 20
    for second in range(last + 1):
        recorder.sample(second * SECOND, {"XBT": second}, {COIN: float(second)})
    series = recorder.equity_series()
    (price,) = recorder.price_series()
    assert POINTS // 4 < len(series.ts) <= POINTS
    assert (series.ts[0], series.ts[-1]) == (0, last * SECOND)
    assert series.minor["XBT"] == [ts // SECOND for ts in series.ts]
    assert (price.ts, price.price) == (series.ts, [float(value) for value in series.minor["XBT"]])
    gaps = [later - ts for ts, later in zip(series.ts, series.ts[1:], strict=False)]
    assert max(gaps) <= 4 * min(gaps[:-1])


def test_a_short_run_keeps_every_point() -> None:
    recorder = Recorder()
    for second in (0, 1, 1, 2):
        recorder.sample(second * SECOND, {"XBT": second}, {})
    assert recorder.equity_series().ts == [0, SECOND, 2 * SECOND]
