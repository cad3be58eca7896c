"""Plots as SVG: bars, and curves over a logarithmic axis. Each has its own background, light or dark as the reader's system."""

import math
from html import escape

WIDTH = 860
STYLE = """
  text { font-family: system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; font-size: 13px; fill: #24292f; }
  .paper { fill: #ffffff; } .title { font-size: 16px; font-weight: 600; } .quiet { fill: #59636e; font-size: 12px; }
  .grid { stroke: #d8dee4; stroke-width: 1; } .range { stroke: #24292f; stroke-width: 1.5; }
  .other { fill: #9aa7b5; } .ours { fill: #2f6fd0; }
  .c0 { stroke: #2f6fd0; fill: #2f6fd0; } .c1 { stroke: #d9730d; fill: #d9730d; } .c2 { stroke: #3f8f4f; fill: #3f8f4f; }
  .c3 { stroke: #a04fb5; fill: #a04fb5; } .curve { fill: none; stroke-width: 2; }
  text.c0, text.c1, text.c2, text.c3 { stroke: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .paper { fill: #0d1117; } .quiet { fill: #9198a1; } .grid { stroke: #30363d; }
    .range { stroke: #e6edf3; } .other { fill: #5c6875; } .ours { fill: #4c8df0; }
    .c0 { stroke: #4c8df0; fill: #4c8df0; } .c1 { stroke: #f0883e; fill: #f0883e; } .c2 { stroke: #56b366; fill: #56b366; }
    .c3 { stroke: #c678dd; fill: #c678dd; } .curve { fill: none; }
  }
"""


def page(height, title, subtitle, parts):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="6"/>',
        f'<text class="title" x="20" y="30">{escape(title)}</text>',
        f'<text class="quiet" x="20" y="50">{escape(subtitle)}</text>',
        *parts,
        "</svg>",
        "",
    ])


def steps(top, count=5):
    """Round numbers from 0 to at least `top`."""
    rough = max(top, 1e-9) / count
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough)
    return [step * n for n in range(math.ceil(top / step) + 1)]


def number(value):
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0") if abs(value) >= 1 else f"{value:.2g}"


def bars(title, subtitle, rows):
    """Horizontal bars. A row: label, value, (low, high) or None, whether it is ours."""
    left, right, top, pitch = 200, 60, 70, 24
    rows = [(label, max(0.0, value), span, ours, value) for label, value, span, ours in rows]
    ticks = steps(max(max(value, span[1] if span else 0) for _, value, span, _, _ in rows))
    height = top + pitch * len(rows) + 40
    bottom = height - 34

    def x(value):
        return round(left + (WIDTH - left - right) * value / ticks[-1], 1)

    parts = []
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{x(tick)}" x2="{x(tick)}" y1="{top - 6}" y2="{bottom}"/>')
        parts.append(f'<text class="quiet" x="{x(tick)}" y="{bottom + 18}" text-anchor="middle">{number(tick)}</text>')
    for n, (label, value, span, ours, told) in enumerate(rows):
        y = top + pitch * n
        end = value
        parts.append(f'<text x="{left - 10}" y="{y + 14}" text-anchor="end">{escape(label)}</text>')
        parts.append(f'<rect class="{"ours" if ours else "other"}" x="{left}" y="{y + 2}" width="{round(x(value) - left, 1)}" height="16" rx="2"/>')
        if span:
            end = max(value, span[1])
            parts.append(f'<line class="range" x1="{x(max(0.0, span[0]))}" x2="{x(span[1])}" y1="{y + 10}" y2="{y + 10}"/>')
        parts.append(f'<text class="quiet" x="{x(end) + 6}" y="{y + 14}">{told:.1f}</text>')
    return page(height, title, subtitle, parts)


def curves(title, subtitle, axis, series):
    """Curves over a logarithmic axis. `series`: names, each with points (x, y)."""
    left, right, top, height = 70, 190, 76, 380
    bottom = height - 56
    xs = sorted({x for points in series.values() for x, _ in points})
    ticks = steps(max(y for points in series.values() for _, y in points))
    low, high = math.log(xs[0]), math.log(xs[-1])

    def x(value):
        return round(left + (WIDTH - left - right) * (math.log(value) - low) / ((high - low) or 1), 1)

    def y(value):
        return round(bottom - (bottom - top) * value / ticks[-1], 1)

    parts = []
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{left}" x2="{WIDTH - right}" y1="{y(tick)}" y2="{y(tick)}"/>')
        parts.append(f'<text class="quiet" x="{left - 10}" y="{y(tick) + 4}" text-anchor="end">{number(tick)}</text>')
    for value in xs:
        parts.append(f'<text class="quiet" x="{x(value)}" y="{bottom + 20}" text-anchor="middle">{number(value)}</text>')
    parts.append(f'<text class="quiet" x="{(left + WIDTH - right) / 2}" y="{bottom + 42}" text-anchor="middle">{escape(axis)}</text>')
    # Names are at the curves' ends, moved apart where they would overlap.
    ends = sorted((y(points[-1][1]), n, name) for n, (name, points) in enumerate(series.items()))
    taken = top - 16.0
    places = {}
    for at, _, name in ends:
        taken = max(at + 4, taken + 16)
        places[name] = taken
    for n, (name, points) in enumerate(series.items()):
        path = " ".join(f"{x(a)},{y(b)}" for a, b in points)
        parts.append(f'<polyline class="c{n} curve" points="{path}"/>')
        parts += [f'<circle class="c{n}" cx="{x(a)}" cy="{y(b)}" r="3.5"/>' for a, b in points]
        parts.append(f'<text class="c{n}" x="{x(points[-1][0]) + 12}" y="{places[name]}">{escape(name)}</text>')
    return page(height, title, subtitle, parts)
