"""A page that stays put, its labels beside their points and not over one another."""

from collections.abc import Iterator
from math import cos, hypot, pi, sin

import msgspec
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

Point = tuple[float, float]
NEAR = 9.0  # points from the middle of a marker to the edge of its label
DOT = 8.0  # pixels on each side of a point that stay free
DOUBT = 500.0  # square pixels of overlap that a label by another's point counts for


class Place(msgspec.Struct, frozen=True):
    """Where a label's point is, and the points of the others, in pixels."""

    point: Point
    others: list[Point]

    def doubtful(self, box: Bbox) -> bool:
        """Tell whether a label here is as near to another point as to its own."""
        own = _apart(box, self.point)
        return any(
            _apart(box, each) < own + 1 for each in self.others if each != self.point
        )


def settle(figure: Figure) -> None:
    """Fix a figure's layout, then move its annotations with lines to free places.

    A label that stands far from its point keeps its line to it.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    for axes in figure.axes:
        # The layout's solver repeats itself but for the last bits, which would
        # still change the file.
        left, bottom, width, height = axes.get_position().bounds
        axes.set_position(
            (round(left, 6), round(bottom, 6), round(width, 6), round(height, 6))
        )
    canvas = FigureCanvasAgg(figure)
    for axes in figure.axes:
        labels = [
            text
            for text in axes.texts
            if isinstance(text, Annotation) and text.arrow_patch is not None
        ]
        if labels:
            _spread(axes, labels, canvas)


def _spread(axes: Axes, labels: list[Annotation], canvas: FigureCanvasAgg) -> None:
    points: list[Point] = [
        (float(x), float(y))
        for x, y in (axes.transData.transform(label.xy) for label in labels)
    ]
    taken = [Bbox.from_extents(x - DOT, y - DOT, x + DOT, y + DOT) for x, y in points]
    for n, label in enumerate(labels):
        others = [each for k, each in enumerate(points) if k != n]
        own = Place(points[n], others)
        taken.append(_place(label, own, taken, axes.bbox, canvas))
        if label.arrow_patch is not None:
            far = _distance(label) > 2 * NEAR or own.doubtful(taken[-1])
            label.arrow_patch.set_visible(far)


def _place(
    label: Annotation,
    own: Place,
    taken: list[Bbox],
    room: Bbox,
    canvas: FigureCanvasAgg,
) -> Bbox:
    least, best = float("inf"), (NEAR, 0.0, "left", "center")
    for place in _places():
        _move(label, place)
        box = _extent(label, canvas)
        cost = sum(_overlap(box, other) for other in taken)
        cost += box.width * box.height - _overlap(box, room)
        cost += DOUBT * own.doubtful(box)
        if cost < least:
            least, best = cost, place
        if cost < 1:
            break
    _move(label, best)
    return _extent(label, canvas)


def _places() -> Iterator[tuple[float, float, str, str]]:
    # Aslant first, since intervals are level and upright; then wider and wider circles.
    for radius in (NEAR, 2.2 * NEAR, 3.5 * NEAR, 5 * NEAR, 7 * NEAR, 9 * NEAR):
        for turn in (2, 14, 6, 10, 0, 8, 4, 12, 1, 15, 7, 9, 3, 5, 11, 13):
            x, y = cos(turn * pi / 8), sin(turn * pi / 8)
            across = "left" if x > 0.3 else "right" if x < -0.3 else "center"
            upright = "bottom" if y > 0.3 else "top" if y < -0.3 else "center"
            yield radius * x, radius * y, across, upright


def _move(label: Annotation, place: tuple[float, float, str, str]) -> None:
    x, y, across, upright = place
    label.xyann = (x, y)
    label.set(ha=across, va=upright)


def _extent(label: Annotation, canvas: FigureCanvasAgg) -> Bbox:
    # Of the text alone: an annotation's own extent has its line in it.
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    label.update_positions(renderer)
    return Text.get_window_extent(label, renderer)


def _apart(box: Bbox, point: Point) -> float:
    """Return how far a point is from a box."""
    x, y = point
    return hypot(max(box.x0 - x, 0, x - box.x1), max(box.y0 - y, 0, y - box.y1))


def _distance(label: Annotation) -> float:
    x, y = label.xyann
    return float((x**2 + y**2) ** 0.5)


def _overlap(one: Bbox, other: Bbox) -> float:
    shared = Bbox.intersection(one, other)
    return 0.0 if shared is None else float(shared.width * shared.height)
