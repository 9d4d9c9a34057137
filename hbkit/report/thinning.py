"""Thins a long series to what a chart can show, so that every peak and every trough stays where it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from hbkit.report.wording import is_gap

Point = tuple[int, float]
LIMIT = 2_000
"""About as many points as a wide screen has pixel columns."""


def thin(ts: Sequence[int], values: Sequence[float | None], *, limit: int = LIMIT) -> list[list[Point]]:
    """The series as unbroken stretches of points, about `limit` points at most.

    A short series keeps every point. A long one keeps, of each of `limit` / 2 equal spans of time, the lowest and the
    highest value, and its first and last point. None and `nan` part two stretches; in a long series only where a whole
    span has nothing else.
    """
    points = list(zip(ts, values, strict=True))
    if len(points) <= limit:
        return list(_stretches(points))
    buckets = max(limit // 2, 1)
    start, span = ts[0], max(ts[-1] - ts[0], 1)
    kept: list[tuple[int, float | None]] = []
    for _, group in groupby(points, key=lambda point: min((point[0] - start) * buckets // span, buckets - 1)):
        kept.extend(_extremes(list(group)))
    if kept[0][0] != points[0][0]:
        kept.insert(0, points[0])
    if kept[-1][0] != points[-1][0]:
        kept.append(points[-1])
    return list(_stretches(kept))


def _extremes(bucket: list[tuple[int, float | None]]) -> list[tuple[int, float | None]]:
    """The lowest and the highest point in their order of time; one gap where there is nothing else."""
    known = [(value, index) for index, (_, value) in enumerate(bucket) if value is not None and not is_gap(value)]
    if not known:
        return bucket[:1]
    return [bucket[index] for index in sorted({min(known)[1], max(known)[1]})]


def _stretches(points: Sequence[tuple[int, float | None]]) -> Iterator[list[Point]]:
    for gap, group in groupby(points, key=lambda point: is_gap(point[1])):
        if not gap:
            yield [(ts, value) for ts, value in group if value is not None]
