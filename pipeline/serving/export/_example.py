"""A few lines of Python that let an exported model answer for one photograph, prepared as ours were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.heads import TrainedHead
from pipeline.images.geometry import Geometry
from pipeline.images.pixel_range import PixelRange, number
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.serving.export._format import PHOTO, Format
from pipeline.serving.export._kinds import kind_of
from pipeline.spec import FeatureSpec


def example(module: Format, path: Path, trained: TrainedHead, pixel_range: PixelRange | None = None) -> str:
    """Returns lines of Python that let a model answer for ``photo.jpg``, turned and resized as ours.

    Of classes it prints the probabilities, else the labels at or above their thresholds, or the numbers by
    their names, all as the model itself has them. Where the pixels of its set were deeper than 8 bits, it
    takes the grey ``photo.png``, read by their range.
    """
    spec = trained.spec
    imports, answer = _ANSWERS[trained.task.target](module, path, kind_of(trained).output)
    imported = sorted({*module.IMPORTS, *imports, "numpy", "PIL.Image", "PIL.ImageOps"})
    size = f"({spec.image_size}, {spec.image_size})"
    filter = f"PIL.Image.{spec.resize.partition('-')[0].upper()}"
    picture = 'PIL.ImageOps.exif_transpose(PIL.Image.open("photo.jpg"))'
    if pixel_range is not None:
        picture = (
            'PIL.Image.fromarray(numpy.rint(numpy.interp(PIL.ImageOps.exif_transpose(PIL.Image.open("photo.png")),'
            f' [{number(pixel_range.low)}, {number(pixel_range.high)}], [0, 255])).astype("uint8"))'
        )
    return "\n".join(
        [
            f"import {', '.join(imported)}",
            f'{PHOTO} = {_squared(f"""{picture}.convert("RGB")""", size, filter, spec)}',
            *answer,
        ]
    )


def _of_classes(module: Format, path: Path, output: str) -> tuple[tuple[str, ...], list[str]]:
    return (), [f"print({module.call(path, output)})"]


def _of_labels(module: Format, path: Path, output: str) -> tuple[tuple[str, ...], list[str]]:
    return ("json", *module.TEXT_IMPORTS), [
        *(f"{name} = json.loads({module.text(path, name)})" for name in ("labels", "thresholds")),
        f"probabilities = {module.row(path, output)}",
        "print([label for label, p, least in zip(labels, probabilities, thresholds) if p >= least])",
    ]


def _of_numbers(module: Format, path: Path, output: str) -> tuple[tuple[str, ...], list[str]]:
    return ("json", *module.TEXT_IMPORTS), [
        f"names = json.loads({module.text(path, 'numbers')})",
        f"print(dict(zip(names, map(float, {module.row(path, output)}))))",
    ]


_ANSWERS: dict[str, Callable[[Format, Path, str], tuple[tuple[str, ...], list[str]]]] = {
    CLASS: _of_classes,
    LABELS: _of_labels,
    NUMBER: _of_numbers,
}


def _squared(picture: str, size: str, filter: str, spec: FeatureSpec) -> str:
    """Returns an expression that makes a square of a picture, by the geometry of a spec."""
    geometry = Geometry.parse(spec.geometry)
    if not geometry.edge:
        return f"{picture}.resize({size}, {filter})"
    off = (geometry.edge - spec.image_size) / 2
    if geometry.keeps_ratio:
        return f"PIL.ImageOps.fit({picture}, {size}, {filter}, {off / geometry.edge!r})"
    edge, end = geometry.edge, spec.image_size + int(off)
    return f"{picture}.resize(({edge}, {edge}), {filter}).crop(({int(off)}, {int(off)}, {end}, {end}))"
