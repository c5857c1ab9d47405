"""The bases whose filters are on this machine, and what is worth trying of each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import h5py

from pipeline.backbones.finding import find_base
from pipeline.backbones.graph import SUFFIXES as NETWORKS
from pipeline.backbones.loading import fits
from pipeline.backbones.shelf import shelved
from pipeline.backbones.table import BACKBONES
from pipeline.backbones.weights import at_hand
from pipeline.errors import UsageError
from pipeline.guards.hdf5 import refuse_foreign_parts
from pipeline.paths import expanded
from pipeline.progress import say
from pipeline.spec import PIXELS

SIZES = (150, 224)
"""Heights and widths to try, the first one first: stage one's default, and what bases were trained at."""
PIXEL_SIZES = (32,)
MOST_FEATURES = 16_384
"""Largest map that is worth having whole: heads on more take minutes."""
FILTERS = (".h5", ".hdf5")
Shape = tuple[str, tuple[int, ...]]
"""A cut and the shape of one image's features there."""


@dataclass(frozen=True)
class BaseAtHand:
    """A base with filters.

    Attributes:
        backbone: What ``--backbone`` says.
        weights: What ``--weights`` says; empty where that is left out.
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
        is not too much; of tokens the class token, and the average of the others. Of a network in a file the
        default cut takes the place of the last layer, and a vector that it gives after that is tried, too.
        """
        return () if self.is_pixels else _cuts(self.backbone, image_size)


def bases_at_hand(
    files: Sequence[str] = (), names: Sequence[str] = (), sizes: Sequence[int] = ()
) -> list[BaseAtHand]:
    """Lists every base whose filters are at hand, those with the fewest weights first.

    Args:
        files: Weights files, networks (``.onnx``, ``.tflite``), or folders of such; which base of the table
            a weights file belongs to is found by its layers. Also ``random`` or ``random:SEED``, the filters
            of bases in ``names`` that have no others.
        names: Bases to keep to, of the table or the shelf, or networks; empty = all.
        sizes: Heights and widths to try, instead of the usual ones.

    Raises:
        UsageError: A file fits no base, two fit the same, a name is unknown, or a named base has no filters.
    """
    for name in names:
        find_base(name)
    words = [word for word in files if word.partition(":")[0] == "random"]
    given, networks = _sorted_out([file for file in files if file not in words])
    drawn = {name: words[0] for name in names if words and name not in given}
    found = []
    for name, row in BACKBONES.items():
        fitting = tuple(size for size in sizes or _usual(name) if size >= row.min_size)
        if (names and name not in names) or not fitting:
            continue
        if name == PIXELS:
            found.append((0, BaseAtHand(name, "", fitting)))
        elif filters := given.get(name) or drawn.get(name):
            found.append((row.parameters, BaseAtHand(name, filters, fitting)))
        elif there := tuple(size for size in fitting if at_hand(name, size)):
            found.append((row.parameters, BaseAtHand(name, "imagenet", there)))
    named = [name for name in names if name not in BACKBONES]
    own = [*networks, *named] if names else [*networks, *shelved()]
    found += list(_networks(dict.fromkeys(own), sizes))
    bases = [base for _, base in sorted(found, key=lambda pair: pair[0])]
    if missing := [name for name in names if name not in {base.backbone for base in bases}]:
        raise UsageError(
            f"the filters of {', '.join(missing)} are not at hand: give --weights FILE, or `pipeline extract "
            f"--backbone {missing[0]}` to download them once"
        )
    return bases


def _usual(name: str) -> tuple[int, ...]:
    return PIXEL_SIZES if name == PIXELS else SIZES


def _networks(choices: Iterable[str], sizes: Sequence[int]) -> Iterator[tuple[int, BaseAtHand]]:
    """Yields bases in files, each with about as many weights as its file has numbers."""
    own = shelved()
    for choice in choices:
        base = find_base(choice)
        taken = []
        for size in sizes or (base.own_size,):
            try:
                base.check_size(size)
            except UsageError as error:
                say(f"note: {error}: that size is not tried")
            else:
                taken.append(size)
        if taken:
            path = own[choice].path if choice in own else Path(choice)
            yield path.stat().st_size // 4, BaseAtHand(choice, "", tuple(taken))


@cache
def _cuts(backbone: str, image_size: int) -> tuple[str, ...]:
    base = find_base(backbone)
    shapes = base.cuts(image_size)
    last = [layer for layer, _ in shapes].index(base.layer)
    after = [one for one in shapes[last + 1 :] if len(one[1]) == 1][-1:] if base.in_file else []
    found = []
    for layer, shape in [shapes[last], *_earlier(shapes[: last + 1]), *after]:
        if len(shape) == 3:
            found.append(f"{layer}:avg")
        if len(shape) == 2:
            found += [f"{layer}:cls", f"{layer}:avg"]
        elif len(shape) == 1 or (math.prod(shape) <= MOST_FEATURES and shape[0] > 1):
            found.append(layer)
    return tuple(found)


def _earlier(shapes: Sequence[Shape]) -> list[Shape]:
    """Returns the last cut before the maps were made smaller; not one that is only pooled after that."""
    if len(shapes[-1][1]) != 3:
        return []
    maps = [one for one in shapes if len(one[1]) == 3]
    found = [one for one in maps if one[1][0] >= 2 * shapes[-1][1][0]]
    if found and found[-1:] == list(shapes[-2:-1]):
        found = [one for one in found if one[1][0] >= 2 * found[-1][1][0]]
    return found[-1:]


def _sorted_out(choices: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Returns the file with the filters of each base of the table, and the networks in files of their own.

    Raises:
        UsageError: A named file is neither; one in a folder is told of and passed over.
    """
    found: dict[str, str] = {}
    networks: list[str] = []
    for choice in choices:
        path = expanded(choice)
        for file in _files_in(path):
            try:
                if file.suffix.lower() in NETWORKS:
                    networks.append(find_base(str(file.resolve())).address)
                    continue
                name = _base_of(file)
            except UsageError as error:
                if not path.is_dir():
                    raise
                say(f"note: {error}: it is not tried")
                continue
            if name in found and found[name] != str(file):
                raise UsageError(f"{found[name]} and {file} are both filters of {name}: give one of them")
            found[name] = str(file)
    return found, networks


def _files_in(path: Path) -> list[Path]:
    endings = (*FILTERS, *NETWORKS)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in endings and file.is_file())
        if not files:
            raise UsageError(f"no weights file is in {path}: give one with files that end with .h5 or .onnx")
        return files
    if not path.is_file():
        raise UsageError(f"weights {str(path)!r} do not exist: give a weights file or a folder of such")
    return [path]


def _base_of(file: Path) -> str:
    """Names the base of the table whose layers a file holds.

    Raises:
        UsageError: It fits none.
    """
    try:
        with h5py.File(file, "r") as opened:
            refuse_foreign_parts(file, opened)
            sizes: list[int] = []
            opened.visititems(
                lambda _, one: sizes.append(one.size) if isinstance(one, h5py.Dataset) else None
            )
    except (OSError, ValueError):
        sizes = []
    for name, row in BACKBONES.items():
        if row.factory and row.parameters == sum(sizes) and fits(name, file):
            return name
    raise UsageError(
        f"weights {str(file)!r} fit none of the bases that `pipeline backbones` lists: give the file saved "
        "from one of them without its top"
    )
