"""Which part of a picture becomes the square: that of the processors that bases were trained with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reference_pictures import SHAPES, reference_picture

from pipeline.backbones.configs import find_preprocessing
from pipeline.backbones.preprocessing import Preprocessing
from pipeline.errors import UsageError
from pipeline.images.decode import decode
from pipeline.images.geometry import Geometry
from pipeline.images.resizing import find_resize, resizes

REFERENCE = Path(__file__).parents[1] / "data" / "reference_pixels.npz"
CASES = sorted({name.rpartition("/")[0] for name in np.load(REFERENCE).files} - {""})
MOST = {"pillow": 0, "package": 3}
"""Grey levels that a pixel may be away from the reference where that resizes with Pillow."""
MOST_OF_TORCH, MEAN_OF_TORCH = 3, 0.3
"""The same where the reference resizes with PyTorch, and the mean."""


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    """What transformers and timm made once, see cli_reference_pixels.py."""
    with np.load(REFERENCE) as held:
        return dict(held)


def stated(case: str, reference: dict[str, np.ndarray], folder: Path) -> Preprocessing:
    """Reads the configuration of a case as it lies beside a network."""
    name = "config.json" if case.startswith("timm") else "preprocessor_config.json"
    (folder / name).write_text(str(reference[f"{case}/config"]))
    return find_preprocessing(folder / "network.onnx")


@pytest.mark.parametrize("case", CASES)
def test_pixels_are_those_of_the_reference(
    case: str, reference: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """With Pillow's resize they are equal, where the reference resizes with Pillow, too."""
    preprocessing = stated(case, reference, tmp_path)
    expected = reference[f"{case}/pixels"].astype(int)
    by_torch = case.endswith("ImageProcessor")
    for kind, name in zip(("package", "pillow"), resizes(preprocessing.filter), strict=True):
        resize = find_resize(name, str(preprocessing.geometry_at(preprocessing.size)))
        found = np.stack(
            [decode(reference_picture(*shape), preprocessing.size, None, resize) for shape in SHAPES]
        )
        away = np.abs(found - expected)
        assert away.max() <= (MOST_OF_TORCH if by_torch else MOST[kind])
        assert away.mean() <= MEAN_OF_TORCH


@pytest.mark.parametrize("case", CASES)
def test_numbers_are_those_of_the_reference(
    case: str, reference: dict[str, np.ndarray], tmp_path: Path
) -> None:
    done = stated(case, reference, tmp_path).normalisation("nchw")
    pixels = reference[f"{case}/pixels"][:, :4, :4]
    found = (pixels * done.scale - done.mean) / np.array(done.std)
    # The pixels of the reference were rounded; those of DINOv3 may lie beyond black and white before.
    step = 0.7 * done.scale / min(done.std)
    np.testing.assert_allclose(found, reference[f"{case}/normalised"], atol=step)


@pytest.mark.parametrize("text", ["", "shorter-edge-256", "square-40", "shorter-edge-37-even"])
def test_a_geometry_is_read_as_it_is_written(text: str) -> None:
    assert str(Geometry.parse(text)) == text


@pytest.mark.parametrize("text", ["centre", "shorter-edge-0", "square-99999", "square-4-odd"])
def test_what_is_no_geometry_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"geometry .* is not known.*shorter-edge-256"):
        Geometry.parse(text)


@pytest.mark.parametrize(("width", "height"), [(300, 40), (40, 300), (64, 64), (4000, 3), (3, 4000)])
@pytest.mark.parametrize("geometry", [Geometry(40, True), Geometry(41, True, even=True), Geometry(40)])
def test_a_part_lies_within_the_picture_and_is_as_large_as_the_square(
    geometry: Geometry, width: int, height: int
) -> None:
    left, top, right, bottom = geometry.part((0.0, 0.0, width, height), 32)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    across, down = geometry.resized(width, height, 32)
    np.testing.assert_allclose([(right - left) * across / width, (bottom - top) * down / height], 32)


def test_very_long_pictures_are_not_resized_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = []

    def resize(self: Image.Image, size: tuple[int, int], *rest: object) -> Image.Image:
        sides.append(size)
        return whole(self, size, *rest)

    whole = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", resize)
    bicubic = find_resize("bicubic-antialias", "shorter-edge-10")
    for width in (2000, 30):
        assert bicubic(Image.new("RGB", (width, 20)), 8).size == (8, 8)
    assert sides == [(8, 8), (15, 10)]


def test_a_large_photograph_is_reduced_no_further_than_others(tmp_path: Path) -> None:
    """JPEG files are reduced while they are decoded, to no less than three times what is wanted of them."""
    path = tmp_path / "large.jpg"
    Image.fromarray(reference_picture(800, 1000)).resize((2000, 1600)).save(path, quality=95)
    resize = find_resize("bicubic-antialias", "shorter-edge-64")
    found = decode(path.read_bytes(), 32, None, resize)
    with Image.open(path) as image:
        expected = np.asarray(image.resize((80, 64), Image.Resampling.BICUBIC).crop((24, 16, 56, 48)))
    assert np.abs(found.astype(int) - expected).mean() < 1
