"""Pictures are shown as their base sees them: the same part, in whatever size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.images.decode import decode
from pipeline.images.geometry import Geometry
from pipeline.images.pixel_range import PixelRange
from pipeline.images.resizing import find_resize
from pipeline.images.shown import shown_square
from pipeline.spec import FeatureSpec


@pytest.mark.parametrize("side", [30, 90])
def test_only_the_part_is_shown_that_the_base_sees(side: int, spec: FeatureSpec) -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[14:86, 64:136] = 255
    shown = replace(spec, image_size=30, geometry="shorter-edge-50", resize="bilinear-antialias")
    part = shown_square(picture, shown, side)
    assert part.shape == (side, side, 3)
    assert part.min() > 250
    whole = shown_square(picture, replace(shown, geometry=""), side)
    assert whole[[0, -1], [0, -1]].max() == 0


@pytest.mark.parametrize("geometry", ["", "square-20", "shorter-edge-18-even"])
def test_in_its_own_size_it_is_what_the_base_gets(geometry: str, spec: FeatureSpec) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    shown = replace(spec, image_size=16, geometry=geometry, resize="bilinear-antialias", pixel_range="")
    wanted = decode(picture, 16, PixelRange.of(""), find_resize(shown.resize, geometry))
    np.testing.assert_array_equal(shown_square(picture, shown, 16), wanted)


def test_a_geometry_without_a_margin_keeps_none() -> None:
    assert Geometry.parse("shorter-edge-16").in_size(64, of=16) == Geometry.parse("shorter-edge-64")
    assert Geometry.parse("square-20-even").in_size(24, of=16) == Geometry.parse("square-30-even")
    assert Geometry().in_size(24, of=16) == Geometry()
