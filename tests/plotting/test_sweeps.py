"""Figures of many runs."""

from vae_lightning.plotting.sweeps import Point, trade_off


def notes(*points) -> list[str]:
    figure = trade_off({"vae": points}, "x", "y", "title")
    return [text.get_text() for text in figure.axes[0].texts]


def test_overlapping_notes_are_left_out():
    near = [Point(0, 0, note="a"), Point(0.01, 0.01, note="b"), Point(1, 1, note="c"), Point(0.5, 1)]
    assert notes(*near) == ["a", "c"]
    assert notes(*near[::2], Point(0, 0.1, note="above"), Point(0.5, 0, note="beside")) == ["a", "c", "above", "beside"]
