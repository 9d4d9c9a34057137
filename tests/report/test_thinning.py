"""A thinned series still shows every peak, every trough and every gap that a reader could see."""

import math

from hbkit.report.thinning import thin


def test_a_short_series_keeps_every_point():
    assert thin([1, 2, 3], [5.0, 4.0, 6.0]) == [[(1, 5.0), (2, 4.0), (3, 6.0)]]


def test_a_long_series_keeps_its_extremes_and_its_ends():
    values = [math.sin(index / 500) for index in range(100_000)]
    values[31_337], values[77_777] = 9.0, -9.0
    (points,) = thin(list(range(100_000)), values, limit=2_000)
    assert len(points) <= 2_002
    assert {(31_337, 9.0), (77_777, -9.0), (0, values[0]), (99_999, values[-1])} <= set(points)
    assert points == sorted(points)


def test_gaps_part_a_series():
    assert thin([1, 2, 3, 4], [5.0, None, 6.0, math.nan]) == [[(1, 5.0)], [(3, 6.0)]]


def test_a_long_gap_survives_thinning_and_a_tiny_one_does_not():
    values: list[float | None] = [float(index % 7) for index in range(10_000)]
    values[5_000:6_000] = [None] * 1_000
    values[100] = None
    first, second = thin(list(range(10_000)), values, limit=1_000)
    assert first[-1][0] < 5_000
    assert second[0][0] >= 6_000


def test_a_series_of_gaps_is_nothing():
    assert thin(list(range(5_000)), [None] * 5_000) == []
