"""How the page looks, and the few lines of script that read values under the pointer; nothing is loaded from elsewhere.

Buys are blue and point up, sells are orange and point down: both the colours and the shapes tell them apart, for
readers of every kind of colour vision and on grey paper.
"""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fcfcfa; --ink: #1d1e20; --soft: #65676b; --rule: #dfded9; --faint: #f3f2ee;
  --first: #31597d; --second: #a2660a; --buy: #0b69b0; --sell: #c4520a; --fall: #9a5b57;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #17181a; --ink: #e5e4e0; --soft: #9a9b9d; --rule: #34363a; --faint: #1f2124;
    --first: #8db4d8; --second: #d9a860; --buy: #62b1f2; --sell: #f29a55; --fall: #cf908b;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 56px 32px 72px; max-width: 1080px; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums lining-nums;
}
h1 { margin: 0 0 6px; font-size: 30px; line-height: 1.2; font-weight: 600; letter-spacing: -0.01em; }
h1 { overflow-wrap: anywhere; }
h2 { margin: 56px 0 14px; font-size: 18px; line-height: 1.3; font-weight: 600; }
p { margin: 0 0 10px; max-width: 46em; overflow-wrap: anywhere; }
header p, .soft, .unit, .none, footer { color: var(--soft); }
header p { margin: 0 0 2px; }
small { font-size: 13px; color: var(--soft); }
dl.verdict {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 22px 28px; margin: 34px 0 0;
  padding: 22px 0 0; border-top: 1px solid var(--rule);
}
dl.verdict + dl.verdict { margin-top: 22px; }
.verdict div { min-width: 0; }
.verdict dt { font-size: 13px; color: var(--soft); }
.verdict dd { margin: 0; overflow-wrap: anywhere; }
.verdict dd b { font-size: 21px; font-weight: 600; letter-spacing: -0.01em; }
.verdict dd span { display: block; font-size: 13px; color: var(--soft); }
.warnings { margin: 34px 0 0; padding: 2px 0 2px 18px; border-left: 3px solid var(--second); }
.warnings p { margin: 4px 0; color: var(--ink); }
figure { margin: 0 0 30px; break-inside: avoid; }
figcaption { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 14px; margin-bottom: 4px; }
figcaption { font-size: 14px; }
figcaption b { font-weight: 600; overflow-wrap: anywhere; }
figcaption .key { font-size: 13px; color: var(--soft); white-space: nowrap; }
figcaption output { margin-left: auto; font-size: 13px; }
.key svg { vertical-align: -1px; margin-right: 3px; }
.chart { display: flex; }
.chart .values { flex: none; }
.chart .plot { flex: 1 1 0; min-width: 0; overflow: visible; }
svg text { fill: var(--soft); font-size: 12px; }
.values text { text-anchor: end; }
.grid { stroke: var(--rule); stroke-width: 1; shape-rendering: crispEdges; }
.tick { stroke: var(--soft); stroke-width: 1; shape-rendering: crispEdges; }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round; stroke-linecap: round; }
.line { vector-effect: non-scaling-stroke; }
.line.first { stroke: var(--first); }
.line.second { stroke: var(--second); stroke-dasharray: 5 4; }
.line.dot { stroke-width: 5; stroke-dasharray: none; }
.line.fall { stroke: var(--fall); }
.area { stroke: none; opacity: 0.16; }
.area.first { fill: var(--first); }
.area.fall { fill: var(--fall); }
use { stroke: var(--paper); stroke-width: 1; }
.buy { fill: var(--buy); }
.sell { fill: var(--sell); }
td .buy, td.buy { color: var(--buy); }
td.sell { color: var(--sell); }
.cross { display: none; stroke: var(--soft); stroke-width: 1; pointer-events: none; }
.cross.on { display: inline; }
.scroll { overflow: auto; max-height: 480px; border-top: 1px solid var(--rule); border-bottom: 1px solid var(--rule); }
table { border-collapse: collapse; font-size: 14px; }
.scroll table { width: 100%; font-size: 13px; }
th, td { padding: 5px 22px 5px 0; text-align: left; vertical-align: baseline; border-bottom: 1px solid var(--rule); }
tr:last-child > td, tr:last-child > th { border-bottom: 0; }
.scroll th, .scroll td { white-space: nowrap; padding-right: 18px; }
thead th { font-weight: 500; color: var(--soft); background: var(--paper); }
.scroll thead th { position: sticky; top: 0; box-shadow: inset 0 -1px var(--rule); }
tbody th { font-weight: 400; white-space: nowrap; }
.number { text-align: right; }
td.sign { padding-right: 8px; color: var(--soft); }
tr.sum > * { border-top: 2px solid var(--soft); font-weight: 600; }
.formula { color: var(--soft); font-size: 13px; }
.facts { display: grid; grid-template-columns: minmax(110px, max-content) 1fr; gap: 6px 24px; margin: 0; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.origin { font-weight: 600; }
pre {
  margin: 0; padding: 14px 16px; overflow: auto; max-height: 480px; background: var(--faint);
  font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
footer { margin-top: 56px; padding-top: 16px; border-top: 1px solid var(--rule); font-size: 13px; }
footer p { margin: 0; max-width: none; }
.shapes { position: absolute; }
@media (max-width: 640px) {
  body { padding: 28px 16px 48px; }
  h1 { font-size: 24px; }
  h2 { margin-top: 42px; }
  dl.verdict { grid-template-columns: 1fr 1fr; gap: 18px; }
  .verdict dd b { font-size: 17px; }
  .odd, .formula { display: none; }
  .facts { grid-template-columns: 1fr; gap: 0; }
  .facts dd { margin-bottom: 10px; }
  figcaption output { flex-basis: 100%; min-height: 1.5em; }
  th, td { padding-right: 14px; }
  .wide { overflow-x: auto; }
  tbody th { white-space: normal; }
}
@media print {
  :root {
    --paper: #fff; --ink: #000; --soft: #555; --rule: #ccc; --faint: #fff;
    --first: #31597d; --second: #a2660a; --buy: #0b69b0; --sell: #c4520a; --fall: #9a5b57;
  }
  body { padding: 0; max-width: none; font-size: 10pt; }
  h2 { break-after: avoid; }
  .scroll, pre { max-height: none; overflow: visible; }
  pre { padding: 0; white-space: pre-wrap; }
  .scroll th, .scroll td { white-space: normal; padding-right: 8px; }
  tr { break-inside: avoid; }
}
"""

SHAPES = (
    '<svg class="shapes" width="0" height="0" aria-hidden="true"><defs>'
    '<path id="buy" d="M0 -5.5L5.5 4.5H-5.5Z"/><path id="sell" d="M0 5.5L5.5 -4.5H-5.5Z"/></defs></svg>'
)
"""The markers, drawn once and used by every chart."""

SCRIPT = """
(() => {
  const plots = [...document.querySelectorAll("svg.plot")].map((svg) => {
    const figure = svg.closest("figure");
    const text = figure.querySelector(".points").textContent;
    const lines = text.split("\\n").map((line) =>
      line.split(" ").filter(Boolean).map((point) => point.split(":")).map(([t, v]) => [Number(t), v]));
    const [start, end] = [Number(svg.dataset.start), Number(svg.dataset.end)];
    return {svg, lines, start, end, cross: svg.querySelector(".cross"), out: figure.querySelector("output")};
  });
  const before = (line, t) => {
    let low = 0, high = line.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (line[middle][0] <= t) low = middle + 1; else high = middle;
    }
    return low ? line[low - 1][1] : "";
  };
  const show = (share) => plots.forEach(({lines, start, end, cross, out}) => {
    const t = Math.round(share * (end - start));
    cross.setAttribute("x1", share * 100 + "%");
    cross.setAttribute("x2", share * 100 + "%");
    cross.classList.add("on");
    const when = new Date(start + t).toISOString().slice(0, 19).replace("T", " ");
    out.textContent = [when, ...lines.map((line) => before(line, t)).filter(Boolean)].join("  ");
  });
  const hide = () => plots.forEach(({cross, out}) => { cross.classList.remove("on"); out.textContent = ""; });
  plots.forEach(({svg}) => {
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      show(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1));
    });
    svg.addEventListener("pointerleave", hide);
  });
})();
"""
