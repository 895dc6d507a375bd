"""Two charts as SVG: a map of points in groups, and two rings of verbs and nouns. Colours are those of the page's style.

They are pictures of what tables beside them say: a screen reader has their label, and the tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from tasks.publish.report.verbs import VerbNouns

COLOURS = 10
WIDTH, HEIGHT, MARGIN = 800, 500, 16
RING = (55.0, 150.0, 250.0)
"""Radii: of the hole, of the verbs' ring and of the nouns'."""
LEAST_ARC = 16.0
"""Of a sector that has room for its word, in the middle of its ring."""
MOST_LETTERS = 14


def scatter(places: Sequence[tuple[float, float]], groups: Mapping[int, Sequence[int]], label: str) -> Markup:
    """Points in [0, 1] x [0, 1], each group in a colour with its number at its middle. `groups`: number -> points."""
    parts = []
    for number, rows in groups.items():
        moves = "".join(f"M{_x(places[at][0])} {_y(places[at][1])}h0" for at in rows)
        parts.append(f'<path class="dots c{(number - 1) % COLOURS}" d="{moves}"/>')
    for number, rows in groups.items() if len(groups) > 1 else ():
        x, y = (sorted(places[at][axis] for at in rows)[len(rows) // 2] for axis in (0, 1))
        parts.append(f'<circle class="disc" cx="{_x(x)}" cy="{_y(y)}" r="13"/>')
        parts.append(f'<text x="{_x(x)}" y="{_y(y)}" text-anchor="middle" dominant-baseline="central">{number}</text>')
    return _svg(f"0 0 {WIDTH} {HEIGHT}", label, parts)


def rings(told: VerbNouns, label: str) -> Markup:
    """The verbs in an inner ring, and around each its nouns; what is not among the most frequent nouns has a sector too."""
    total, begin, parts = sum(count for _, count, _ in told.verbs), 0.0, list[str]()
    for number, (verb, count, nouns) in enumerate(told.verbs):
        end = begin + 2 * math.pi * count / total
        parts += _sector(begin, end, RING[:2], f"verb c{number % COLOURS}", verb)
        others = count - sum(times for _, times in nouns)
        at = begin
        for noun, times in [*nouns, *([("", others)] if others else [])]:
            until = at + 2 * math.pi * times / total
            parts += _sector(at, until, RING[1:], f"noun c{number % COLOURS}", noun)
            at = until
        begin = end
    size = RING[2] + MARGIN
    return _svg(f"{-size:g} {-size:g} {2 * size:g} {2 * size:g}", label, parts)


def _svg(box: str, label: str, parts: Sequence[str]) -> Markup:
    drawn = "".join(parts)
    return Markup(f'<svg viewBox="{box}" role="img" aria-label="{escape(label)}">{drawn}</svg>')


def _sector(begin: float, end: float, radii: Sequence[float], kind: str, word: str) -> list[str]:
    """A part of a ring between two angles, from the top clockwise, with its word where there is room."""
    inner, outer = radii
    end = min(end, begin + 2 * math.pi - 1e-4)  # an arc that ends where it begins is none
    far = int(end - begin > math.pi)
    (ax, ay), (bx, by) = _point(begin, outer), _point(end, outer)
    (cx, cy), (dx, dy) = _point(end, inner), _point(begin, inner)
    parts = [
        f'<path class="{kind}" d="M{ax} {ay}A{outer:g} {outer:g} 0 {far} 1 {bx} {by}'
        f'L{cx} {cy}A{inner:g} {inner:g} 0 {far} 0 {dx} {dy}Z"/>'
    ]
    if word and (end - begin) * (inner + outer) / 2 >= LEAST_ARC:
        middle = (begin + end) / 2
        turn = math.degrees(middle) - 90
        x, y = _point(middle, (inner + outer) / 2)
        turn = turn + 180 if middle > math.pi else turn  # else it stands on its head
        shown = word if len(word) <= MOST_LETTERS else f"{word[: MOST_LETTERS - 1]}…"
        parts.append(
            f'<text x="{x}" y="{y}" text-anchor="middle" dominant-baseline="central" '
            f'transform="rotate({turn:.1f} {x} {y})">{escape(shown)}</text>'
        )
    return parts


def _point(angle: float, radius: float) -> tuple[float, float]:
    return round(radius * math.sin(angle), 1), round(-radius * math.cos(angle), 1)


def _x(place: float) -> float:
    return round(MARGIN + place * (WIDTH - 2 * MARGIN), 1)


def _y(place: float) -> float:
    return round(HEIGHT - MARGIN - place * (HEIGHT - 2 * MARGIN), 1)
