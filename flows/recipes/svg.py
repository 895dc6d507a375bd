"""A drawing of a recipe as SVG, laid out here: nothing else is needed to look at it, and it follows the reader's light or dark.

    stillroom draw sft-evolved --svg > evolved.svg

A node stands one layer below the lowest of those whose rows it takes. An edge that passes a layer keeps a lane of its own
there, so that it never runs behind a node.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

from flows.recipes.drawing import DrawnStep, RecipeDrawing

LETTER, ROLE_LETTER = 9.5, 7.5
"""Widths of a letter of a name and of a role: wider than most fonts have them, so that no text leaves its box."""
PAD, HEIGHT, GAP_X, GAP_Y, MARGIN = 20.0, 52.0, 28.0, 44.0, 16.0
LANE = 12.0
"""How wide the lane of an edge is that passes a layer."""
POINT = 14.0
"""How far a hexagon's points stand out."""
CAPTION = "A hexagon takes all rows at once, a box each row on its own."
CAPTION_LETTER, CAPTION_HEIGHT = 6.6, 28.0
STYLE = """\
svg { --paper: #fff; --ink: #1d2329; --quiet: #59636e; --box: #eef3f9; --line: #2f6db3 }
@media (prefers-color-scheme: dark) { svg { --paper: #15181c; --ink: #e6e9ed; --quiet: #a7b0bb; --box: #1e2329; --line: #6ba6e8 } }
text { font: 15px system-ui, sans-serif; fill: var(--ink); text-anchor: middle }
.role { font-size: 12px; fill: var(--quiet) }
.node { fill: var(--box); stroke: var(--line); stroke-width: 1.5 }
.edge { fill: none; stroke: var(--quiet); stroke-width: 1.5 }
.tip { fill: var(--quiet) }"""
_Place = tuple[float, float]


def as_svg(drawing: RecipeDrawing, *, in_page: bool = False) -> str:
    """The drawing as an SVG file; `in_page`: as a part of a page, whose style says how it looks."""
    layers, paths = _layers(drawing)
    widths = {at: _width(drawing.nodes[at]) if at < len(drawing.nodes) else LANE for layer in layers for at in layer}
    has_caption = not in_page and any(node.shape == "table" for node in drawing.nodes)
    wide = max(sum(widths[at] + GAP_X for at in layer) - GAP_X for layer in layers)
    wide = max(wide, len(CAPTION) * CAPTION_LETTER if has_caption else 0) + 2 * MARGIN
    high = len(layers) * (HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN + (CAPTION_HEIGHT if has_caption else 0)
    places = _places(layers, widths, wide / 2)
    name = escape(drawing.nodes[-1].label)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:g}" height="{high:g}" viewBox="0 0 {wide:g} {high:g}" '
        'role="img" aria-labelledby="title words">',
        f'<title id="title">The steps of {name}</title>',
        f'<desc id="words">{escape(_in_words(drawing))}</desc>',
        "" if in_page else f"<style>\n{STYLE}\n</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>',
        "" if in_page else '<rect width="100%" height="100%" style="fill: var(--paper)"/>',
        *(_edge([places[at] for at in path]) for path in paths),
        *(_shape(node, places[at], widths[at]) for at, node in enumerate(drawing.nodes)),
    ]
    if has_caption:
        parts.append(f'<text class="role" x="{wide / 2:g}" y="{high - MARGIN:g}">{CAPTION}</text>')
    return "\n".join(filter(None, [*parts, "</svg>"]))


def _layers(drawing: RecipeDrawing) -> tuple[list[list[int]], list[list[int]]]:
    """The numbers that stand in each layer, from left to right, and each edge as the numbers that it leads through.

    Numbers from that of the nodes on are lanes.
    """
    depth = [0] * len(drawing.nodes)
    for before, after in sorted(drawing.edges):  # a step takes rows of earlier ones alone
        depth[after] = max(depth[after], depth[before] + 1)
    layers: list[list[int]] = [[] for _ in range(max(depth) + 1)]
    for at, layer in enumerate(depth):
        layers[layer].append(at)
    paths, number = list[list[int]](), len(drawing.nodes)
    for before, after in drawing.edges:
        lanes = list(range(number, number + depth[after] - depth[before] - 1))
        for layer, lane in enumerate(lanes, depth[before] + 1):
            layers[layer].append(lane)
        number += len(lanes)
        paths.append([before, *lanes, after])
    return _ordered(layers, paths), paths


def _ordered(layers: Sequence[Sequence[int]], paths: Sequence[Sequence[int]]) -> list[list[int]]:
    """Each layer in the order of the middles of what its members come from, so that few edges cross."""
    before = defaultdict[int, list[int]](list)
    for path in paths:
        for one, other in pairwise(path):
            before[other].append(one)
    ordered, middle = [list(layers[0])], {at: place - len(layers[0]) / 2 for place, at in enumerate(layers[0])}
    for layer in layers[1:]:
        wanted = {at: sum(middle[one] for one in before[at]) / max(len(before[at]), 1) for at in layer}
        ordered.append(sorted(layer, key=lambda at: (wanted[at], at)))
        middle |= {at: place - (len(layer) - 1) / 2 for place, at in enumerate(ordered[-1])}
    return ordered


def _places(layers: Sequence[Sequence[int]], widths: dict[int, float], centre: float) -> dict[int, _Place]:
    """The middle of each, its layer in the middle of the picture."""
    places = dict[int, _Place]()
    for depth, layer in enumerate(layers):
        left = centre - (sum(widths[at] + GAP_X for at in layer) - GAP_X) / 2
        for at in layer:
            places[at] = (left + widths[at] / 2, MARGIN + depth * (HEIGHT + GAP_Y) + HEIGHT / 2)
            left += widths[at] + GAP_X
    return places


def _width(node: DrawnStep) -> float:
    return max(len(node.label) * LETTER, len(", ".join(node.roles)) * ROLE_LETTER) + 2 * PAD


def _edge(places: Sequence[_Place]) -> str:
    """A curve from the foot of the first to the head of the last, straight down through the lanes."""
    x, y = places[0][0], places[0][1] + HEIGHT / 2
    drawn = f"M{x:g} {y:g}"
    for to_x, to_y in places[1:]:
        head, half = to_y - HEIGHT / 2, GAP_Y / 2
        drawn += f"C{x:g} {y + half:g} {to_x:g} {head - half:g} {to_x:g} {head:g}"
        x, y = to_x, to_y + HEIGHT / 2
        if (to_x, to_y) != places[-1]:
            drawn += f"V{y:g}"
    return f'<path class="edge" marker-end="url(#tip)" d="{drawn}"/>'


def _shape(node: DrawnStep, place: _Place, width: float) -> str:
    (x, y), left, top = place, place[0] - width / 2, place[1] - HEIGHT / 2
    if node.shape == "table":
        right, foot = left + width, top + HEIGHT
        corners = [
            (left + POINT, top),
            (right - POINT, top),
            (right, y),
            (right - POINT, foot),
            (left + POINT, foot),
            (left, y),
        ]
        outline = f'<polygon class="node" points="{" ".join(f"{a:g},{b:g}" for a, b in corners)}"/>'
    else:
        radius = HEIGHT / 2 if node.shape == "end" else 6
        outline = f'<rect class="node" x="{left:g}" y="{top:g}" width="{width:g}" height="{HEIGHT:g}" rx="{radius:g}"/>'
    if not node.roles:
        return f'{outline}<text x="{x:g}" y="{y + 5:g}">{escape(node.label)}</text>'
    return (
        f'{outline}<text x="{x:g}" y="{y - 4:g}">{escape(node.label)}</text>'
        f'<text class="role" x="{x:g}" y="{y + 15:g}">{escape(", ".join(node.roles))}</text>'
    )


def _in_words(drawing: RecipeDrawing) -> str:
    """What a screen reader says of it."""
    said = []
    for at, node in enumerate(drawing.nodes[1:], 1):
        sources = " and ".join(drawing.nodes[before].label for before, after in drawing.edges if after == at)
        asks = f", asks {', '.join(node.roles)}" if node.roles else ""
        said.append(f"{node.label}, from {sources}{asks}")
    return "; ".join(said) + "."
