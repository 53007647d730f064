"""In the picture of the arena, every byte belongs to one tensor at a time."""

from __future__ import annotations

import pytest

from tinytrain.pipeline.inspection import Stretch
from tinytrain.report.picture import outline


def area(corners: list[tuple[float, float]]) -> float:
    """The shoelace formula."""
    pairs = zip(corners, corners[1:] + corners[:1], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def test_a_tensor_alone_is_a_box() -> None:
    alone = Stretch("a", offset=8, bytes=16, first=-1, last=1)
    assert area(outline(alone, [alone], steps=4)) == 3 * 16


@pytest.mark.parametrize("offset", [0, 8, 12, 20])
def test_where_an_output_overlaps_its_input_both_have_half(offset: int) -> None:
    """Both for two operators, of which the second of the input is the first of the output."""
    image = Stretch("image", offset=20, bytes=16, first=-1, last=0)
    result = Stretch("result", offset, bytes=16, first=0, last=1)
    shared = max(0, offset + 16 - 20)
    for stretch in (image, result):
        assert area(outline(stretch, [image, result], steps=4)) == 2 * 16 - shared / 2
