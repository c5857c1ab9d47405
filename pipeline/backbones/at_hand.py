"""The bases whose filters are on this machine, and what is worth trying of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import h5py

from pipeline.backbones.loading import describe_cuts, fits
from pipeline.backbones.table import BACKBONES
from pipeline.backbones.weights import at_hand
from pipeline.errors import UsageError, unknown
from pipeline.guards.hdf5 import refuse_foreign_parts
from pipeline.paths import expanded
from pipeline.progress import say
from pipeline.spec import PIXELS

SIZES = (150, 224)
"""Heights and widths to try, the first one first: stage one's default, and what bases were trained at."""
PIXEL_SIZES = (32,)
MOST_FEATURES = 16_384
"""Largest map that is worth having whole: heads on more take minutes."""
SUFFIXES = (".h5", ".hdf5")
Shape = tuple[str, tuple[int, ...]]
"""A cut and the shape of one image's features there."""


@dataclass(frozen=True)
class BaseAtHand:
    """A base with filters.

    Attributes:
        backbone: What ``--backbone`` says.
        weights: What ``--weights`` says.
        sizes: Heights and widths in pixels to try it at.
    """

    backbone: str
    weights: str
    sizes: tuple[int, ...]

    @property
    def is_pixels(self) -> bool:
        """Whether its features are the images themselves."""
        return self.backbone == PIXELS

    def cuts(self, image_size: int) -> tuple[str, ...]:
        """Returns the cuts worth trying at a size, as ``--layer`` takes them; none where there is no choice.

        The last layer, and the last clean cut with maps of twice its height: averaged, and whole where that
        is not too much.
        """
        return () if self.is_pixels else _cuts(self.backbone, image_size)


@cache
def _cuts(backbone: str, image_size: int) -> tuple[str, ...]:
    shapes = describe_cuts(backbone, image_size)
    chosen = [shapes[-1], *_earlier(shapes)]
    found = []
    for layer, shape in chosen:
        if len(shape) == 3:
            found.append(f"{layer}:avg")
        if len(shape) != 3 or (math.prod(shape) <= MOST_FEATURES and shape[0] > 1):
            found.append(layer)
    return tuple(found)


def _earlier(shapes: Sequence[Shape]) -> list[Shape]:
    """Returns the last cut before the maps were made smaller; not one that is only pooled after that."""
    maps = [one for one in shapes if len(one[1]) == 3]
    found = [one for one in maps if one[1][0] >= 2 * shapes[-1][1][0]]
    if found and found[-1:] == list(shapes[-2:-1]):
        found = [one for one in found if one[1][0] >= 2 * found[-1][1][0]]
    return found[-1:]


def bases_at_hand(
    files: Sequence[str] = (), names: Sequence[str] = (), sizes: Sequence[int] = ()
) -> list[BaseAtHand]:
    """Lists every base whose filters are at hand, those with the fewest weights first.

    Args:
        files: Weights files, or folders of such; which base a file belongs to is found by its layers. Also
            ``random`` or ``random:SEED``, the filters of bases in ``names`` that have no others.
        names: Bases to keep to; empty = all.
        sizes: Heights and widths to try, instead of the usual ones.

    Raises:
        UsageError: A file fits no base, two fit the same, a name is unknown, or a named base has no filters.
    """
    for name in names:
        if name not in BACKBONES:
            raise unknown("backbone", name, BACKBONES)
    words = [word for word in files if word.partition(":")[0] == "random"]
    given = _by_base([file for file in files if file not in words])
    drawn = {name: words[0] for name in names if words and name not in given}
    found = []
    for name, row in sorted(BACKBONES.items(), key=lambda pair: pair[1].parameters):
        fitting = tuple(size for size in sizes or _usual(name) if size >= row.min_size)
        if (names and name not in names) or not fitting:
            continue
        filters = given.get(name) or drawn.get(name)
        if name == PIXELS:
            found.append(BaseAtHand(name, "none", fitting))
        elif filters:
            found.append(BaseAtHand(name, filters, fitting))
        elif there := tuple(size for size in fitting if at_hand(name, size)):
            found.append(BaseAtHand(name, "imagenet", there))
    if missing := [name for name in names if name not in {base.backbone for base in found}]:
        raise UsageError(
            f"the filters of {', '.join(missing)} are not at hand: give --weights FILE, or `pipeline extract "
            f"--backbone {missing[0]}` to download them once"
        )
    return found


def _usual(name: str) -> tuple[int, ...]:
    return PIXEL_SIZES if name == PIXELS else SIZES


def _by_base(choices: Sequence[str]) -> dict[str, str]:
    """Finds the base of each file, by the number of its weights and then by loading it."""
    found: dict[str, str] = {}
    for choice in choices:
        path = expanded(choice)
        for file in _files_in(path):
            name = _base_of(file)
            if name is None and not path.is_dir():
                raise UsageError(
                    f"weights {str(file)!r} fit none of the bases that `pipeline backbones` lists: give the "
                    "file saved from one of them without its top"
                )
            if name is None:
                say(f"note: {file} fits none of the bases of `pipeline backbones`: it is not tried")
            elif name in found and found[name] != str(file):
                raise UsageError(f"{found[name]} and {file} are both filters of {name}: give one of them")
            else:
                found[name] = str(file)
    return found


def _files_in(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
        if not files:
            raise UsageError(f"no weights file is in {path}: give a folder with files that end with .h5")
        return files
    if not path.is_file():
        raise UsageError(f"weights {str(path)!r} do not exist: give a weights file or a folder of such")
    return [path]


def _base_of(file: Path) -> str | None:
    """Names the base whose layers a file holds; None where there is none."""
    try:
        with h5py.File(file, "r") as opened:
            refuse_foreign_parts(file, opened)
            sizes: list[int] = []
            opened.visititems(
                lambda _, one: sizes.append(one.size) if isinstance(one, h5py.Dataset) else None
            )
    except (OSError, ValueError):
        return None
    for name, row in BACKBONES.items():
        if row.factory and row.parameters == sum(sizes) and fits(name, file):
            return name
    return None
