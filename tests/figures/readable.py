"""Whether a figure can be read: no text over another, none beyond the edge."""

from collections.abc import Iterator
from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text


def assert_readable(figure: Figure) -> None:
    FigureCanvasAgg(figure).draw()
    texts = [*figure.texts, figure._suptitle, *(text for axes in figure.axes for text in texts_of(axes))]
    boxes = {text: text.get_window_extent() for text in dict.fromkeys(texts) if text.get_text().strip()}
    for text, box in boxes.items():
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1
        assert inside, f"{text} leaves the figure: {box}"
    for (a, box), (b, other) in combinations(boxes.items(), 2):
        apart = box.x1 <= other.x0 + 1 or other.x1 <= box.x0 + 1 or box.y1 <= other.y0 + 1 or other.y1 <= box.y0 + 1
        assert apart, f"{a} lies over {b}"


def texts_of(axes: Axes) -> Iterator[Text]:
    """All that is drawn."""
    yield from (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts)
    if axes.get_legend():
        yield from (axes.get_legend().get_title(), *axes.get_legend().get_texts())
    for axis in (axes.xaxis, axes.yaxis):
        for tick in axis._update_ticks():  # those within the limits, the only ones that are drawn
            yield from (label for label in (tick.label1, tick.label2) if label.get_visible())
