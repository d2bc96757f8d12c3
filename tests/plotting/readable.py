"""Check that the texts of a figure neither overlap nor leave the figure."""

from collections.abc import Iterator
from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text


def assert_readable(figure: Figure) -> None:
    FigureCanvasAgg(figure).draw()
    texts = [*figure.texts, figure._suptitle, *(text for axes in figure.axes for text in iter_texts(axes))]
    boxes = {text: text.get_window_extent() for text in dict.fromkeys(texts) if text.get_text().strip()}
    for text, box in boxes.items():
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1
        assert inside, f"{text} leaves the figure: {box}"
    for (a, box), (b, other) in combinations(boxes.items(), 2):
        apart = box.x1 <= other.x0 + 1 or other.x1 <= box.x0 + 1 or box.y1 <= other.y0 + 1 or other.y1 <= box.y0 + 1
        assert apart, f"{a} overlaps {b}"


def iter_texts(axes: Axes) -> Iterator[Text]:
    """Yield all texts of the axes that are drawn."""
    yield from (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts)
    if axes.get_legend():
        yield from (axes.get_legend().get_title(), *axes.get_legend().get_texts())
    for axis in (axes.xaxis, axes.yaxis):
        for tick in axis._update_ticks():  # only ticks within the limits are drawn
            yield from (label for label in (tick.label1, tick.label2) if label.get_visible())
