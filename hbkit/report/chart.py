"""Draws one chart over time as inline SVG that stays sharp at any width and needs no script.

Lines live in a nested picture of WIDE x TALL that is stretched to the plot; whatever must not be stretched (letters,
markers) is placed by percentages outside of it. All charts of a page share one span of time, so they line up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from hbkit.clock import SECOND
from hbkit.report.axis import Tick, time_ticks, value_ticks
from hbkit.report.thinning import Point, thin
from hbkit.report.wording import moment_text

WIDE, TALL = 10_000, 10_000
_TOP, _BOTTOM = 10, 24
"""Pixels kept free above the plot for half a letter, and below it for the times."""


@dataclass(frozen=True)
class Line:
    """One series; `look` is a CSS class (first, second), `steps` holds each value until the next."""

    name: str
    ts: Sequence[int]
    values: Sequence[float | None]
    look: str = "first"
    steps: bool = False
    area: bool = False


@dataclass(frozen=True)
class Marker:
    """A shape at a point (`buy` or `sell`), with a text that shows when pointed at."""

    ts: int
    value: float
    shape: str
    title: str


@dataclass(frozen=True)
class Chart:
    """What one chart shows; `unit` names its only y axis, `decimals` are those of a value pointed at."""

    title: str
    unit: str
    lines: Sequence[Line] = ()
    markers: Sequence[Marker] = ()
    height: int = 220
    decimals: int = 2
    from_zero: bool = False
    legend: Sequence[tuple[str, str]] = field(default_factory=list)
    """Pairs of a mark (`first`, `second`, `buy`, `sell`) and what it stands for."""
    note: str = ""
    """A sentence below it."""


@dataclass(frozen=True)
class _Scale:
    start: int
    end: int
    low: float
    high: float

    def across(self, ts: int) -> float:
        return (ts - self.start) / (self.end - self.start)

    def down(self, value: float) -> float:
        return (self.high - value) / (self.high - self.low)


def window(*series: Sequence[int]) -> tuple[int, int] | None:
    """The span of time that covers all of these, None when there is not one point; a single moment gets a minute."""
    ends = [ts for times in series if times for ts in (min(times), max(times))]
    if not ends:
        return None
    start, end = min(ends), max(ends)
    return (start, end) if end > start else (start - 30 * SECOND, end + 30 * SECOND)


@dataclass(frozen=True)
class _Drawing:
    """A chart with everything worked out but the room for its y axis."""

    chart: Chart
    stretches: list[list[list[Point]]]
    scale: _Scale
    ticks: list[Tick]

    @property
    def inner(self) -> int:
        """Pixels of the plot from top to bottom."""
        return self.chart.height - _TOP - _BOTTOM


def figures(charts: Sequence[Chart], span: tuple[int, int]) -> list[str]:
    """The charts as HTML figures; all leave the same room for their y axes, so that their times line up."""
    drawings = [_prepare(chart, span) for chart in charts]
    labels = [len(tick.label) for drawing in drawings if drawing for tick in drawing.ticks]
    room = round(max(labels, default=1) * 7.7) + 10  # the widest of common fonts takes 7.6 pixels for a digit
    return [
        _render(drawing, room) if drawing else f'<figure>{_caption(chart)}<p class="none">Nothing to draw.</p></figure>'
        for chart, drawing in zip(charts, drawings, strict=True)
    ]


def _prepare(chart: Chart, span: tuple[int, int]) -> _Drawing | None:
    stretches = [thin(line.ts, line.values) for line in chart.lines]
    values = [value for parts in stretches for part in parts for _, value in part]
    values += [marker.value for marker in chart.markers]
    if not values:
        return None
    scale = _Scale(*span, *_range(values, chart))
    return _Drawing(chart, stretches, scale, _ticks(values, scale, chart))


def _ticks(values: Sequence[float], scale: _Scale, chart: Chart) -> list[Tick]:
    """Round values; of a constant its only value."""
    if min(values) == max(values):
        return [Tick(values[0], f"{values[0]:,.{chart.decimals}f}")]
    return value_ticks(scale.low, scale.high, 5 if chart.height >= 200 else 3, finest=chart.decimals)


def _render(drawing: _Drawing, room: int) -> str:
    chart, scale, inner = drawing.chart, drawing.scale, drawing.inner
    lines = "".join(_line(line, parts, scale) for line, parts in zip(chart.lines, drawing.stretches, strict=True))
    plot = (
        f'<svg class="plot" width="100%" height="{chart.height}" role="img" aria-label="{escape(chart.title)}"'
        f' data-start="{scale.start // 1_000_000}" data-end="{scale.end // 1_000_000}">'
        f"{_grid(drawing)}{_times((scale.start, scale.end), chart.height)}"
        f'<svg x="0" y="{_TOP}" width="100%" height="{inner}" viewBox="0 0 {WIDE} {TALL}"'
        f' preserveAspectRatio="none" overflow="visible">{lines}</svg>'
        f"{_markers(chart.markers, scale, inner)}"
        f'<line class="cross" y1="{_TOP}" y2="{_TOP + inner}"/></svg>'
    )
    points = _points(drawing.stretches, scale.start, chart.decimals)
    hover = f'<script type="text/plain" class="points">{points}</script>'
    note = f'<p class="soft">{escape(chart.note)}</p>' if chart.note else ""
    return f'<figure>{_caption(chart)}<div class="chart">{_values(drawing, room)}{plot}</div>{hover}{note}</figure>'


def _range(values: Sequence[float], chart: Chart) -> tuple[float, float]:
    """Lowest and highest value with a little air; a constant stands in the middle."""
    low, high = min(values), max(values)
    if chart.from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    least = max(10.0**-chart.decimals, abs(high) * 1e-9)
    if high - low < least:
        return low - least, high + least
    air = (high - low) * 0.06
    return (low if low == 0 and chart.from_zero else low - air), (high if high == 0 and chart.from_zero else high + air)


def _caption(chart: Chart) -> str:
    keys = "".join(f'<span class="key">{_key(mark)} {escape(text)}</span>' for mark, text in chart.legend)
    unit = f' <span class="unit">{escape(chart.unit)}</span>' if chart.unit else ""
    return f"<figcaption><b>{escape(chart.title)}</b>{unit}{keys}<output></output></figcaption>"


def _key(mark: str) -> str:
    """The sign of a legend: a shape for a marker, a piece of line for a series."""
    if mark in ("buy", "sell"):
        return f'<svg width="12" height="12" aria-hidden="true"><use href="#{mark}" x="6" y="6" class="{mark}" /></svg>'
    return f'<svg width="20" height="12" aria-hidden="true"><path class="line {mark}" d="M1 6H19"/></svg>'


def _values(drawing: _Drawing, room: int) -> str:
    """The y axis, a picture of its own that is not stretched."""
    labels = "".join(
        f'<text x="{room - 10}" y="{_height(drawing, tick)}" dy=".35em">{escape(tick.label)}</text>'
        for tick in drawing.ticks
    )
    return f'<svg class="values" width="{room}" height="{drawing.chart.height}" aria-hidden="true">{labels}</svg>'


def _grid(drawing: _Drawing) -> str:
    heights = (_height(drawing, tick) for tick in drawing.ticks)
    return "".join(f'<line class="grid" x1="0" x2="100%" y1="{y}" y2="{y}"/>' for y in heights)


def _height(drawing: _Drawing, tick: Tick) -> str:
    return f"{_TOP + drawing.scale.down(tick.at) * drawing.inner:.1f}"


def _times(span: tuple[int, int], height: int) -> str:
    marks = []
    for index, tick in enumerate(time_ticks(*span)):
        share = (int(tick.at) - span[0]) / (span[1] - span[0])
        # A label at the very edge would be cut off, so it leans inwards.
        anchor = "start" if share < 0.03 else "end" if share > 0.97 else "middle"
        x, look = f"{share * 100:.3f}%", "time odd" if index % 2 else "time"
        marks.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{height - _BOTTOM}" y2="{height - _BOTTOM + 4}"/>')
        label = escape(tick.label)
        marks.append(f'<text class="{look}" x="{x}" y="{height - 6}" text-anchor="{anchor}">{label}</text>')
    return "".join(marks)


def _line(line: Line, stretches: Sequence[Sequence[Point]], scale: _Scale) -> str:
    paths = [_path(part, scale, line.steps) for part in stretches if part]
    stroke = "".join(path for path in paths if "L" in path or "H" in path)
    # A dot is a piece of line of no length with round ends.
    dots = "".join(path + "h0" for path in paths if "L" not in path and "H" not in path)
    lonely = f'<path class="line dot {line.look}" d="{dots}"/>' if dots else ""
    area = ""
    if line.area:
        zero = round(scale.down(0.0) * TALL)
        closed = "".join(
            f"{path}V{zero}H{round(scale.across(part[0][0]) * WIDE)}Z"
            for path, part in zip(paths, (part for part in stretches if part), strict=True)
        )
        area = f'<path class="area {line.look}" d="{closed}"/>'
    return f'{area}<path class="line {line.look}" d="{stroke}"/>{lonely}'


def _path(points: Sequence[Point], scale: _Scale, steps: bool) -> str:
    drawn = []
    for index, (ts, value) in enumerate(points):
        x, y = round(scale.across(ts) * WIDE), round(scale.down(value) * TALL)
        if index == 0:
            drawn.append(f"M{x} {y}")
        else:
            drawn.append(f"H{x}V{y}" if steps else f"L{x} {y}")
    return "".join(drawn)


def _markers(markers: Sequence[Marker], scale: _Scale, inner: int) -> str:
    return "".join(
        f'<g class="marker"><title>{escape(marker.title)}</title><use href="#{escape(marker.shape)}"'
        f' class="{escape(marker.shape)}" x="{scale.across(marker.ts) * 100:.3f}%"'
        f' y="{_TOP + scale.down(marker.value) * inner:.1f}"/></g>'
        for marker in markers
    )


def _points(stretches: Sequence[Sequence[Sequence[Point]]], start: int, decimals: int) -> str:
    """What the pointer reads: a line per series of `ms since the start:value`; without the script nobody sees it."""
    return "\n".join(
        " ".join(f"{(ts - start) // 1_000_000}:{value:.{decimals}f}" for part in parts for ts, value in part)
        for parts in stretches
    )


def marker_title(ts: int, *parts: str) -> str:
    """The text of a marker: its time, then what is known of it."""
    return " · ".join([moment_text(ts) + " UTC", *(part for part in parts if part)])
