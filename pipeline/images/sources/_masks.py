"""Images that may be masks, or other versions, of their neighbours: told by their names, and only told.

A mask that is taken for a picture of the class gives the class away.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from pipeline.images.formats.kinds import UNREAD
from pipeline.images.sources._left_out import Omissions

_WORDS = (
    "masks?|segs?|segm|segmentations?|labels?|labelids|labelmap|gt|ground[-_ ]?truth|annots?|annotations?|"
    "trimaps?|mattes?|alpha|depth|edges?|contours?|overlays?|heatmaps?|saliency|instances?|semantic"
)
_WORD = re.compile(rf"(?:^|(?<=[-_. (]))({_WORDS})(?=[-_. )0-9]|$)", re.IGNORECASE)
_PICTURE = re.compile(
    r"(?:^|(?<=[-_. (]))(?:images?|imgs?|rgb|photos?|pictures?|input|orig|raw)(?=[-_. )]|$)", re.IGNORECASE
)
_FOLDER = re.compile(rf"(?:.*[-_. ])?(?:{_WORDS}|SegmentationClass|SegmentationObject)", re.IGNORECASE)
_SEPARATORS = re.compile(r"[-_. ()]+")
_LOSSLESS = frozenset((".png", ".bmp", ".gif", ".tif", ".tiff"))
_COMPARED = 8  # names of a folder that are compared with those of the folder beside it
_FOLDERS = 10_000  # folders of which these are remembered
_SIBLINGS = 16  # folders beside one of masks that it is compared with


class Masks:
    """Looks at the names of images folder by folder, and counts by the pattern that would leave them out."""

    def __init__(self) -> None:
        self._found = Omissions()
        self._suffixes: Counter[str] = Counter()
        self._first: dict[str, frozenset[str]] = {}
        self._counts: dict[str, int] = {}

    def look(self, folder: str, names: Sequence[str]) -> None:
        """Takes down the images directly in a folder.

        Args:
            folder: Path relative to the root, ``""`` or ending in ``/``.
            names: File names in their order.
        """
        if not names:
            return
        by_stem: dict[str, list[str]] = defaultdict(list)
        for name in names:
            stem, dot, suffix = name.rpartition(".")
            by_stem[stem or name].append(dot + suffix if stem else "")
        self._suffixes.update(suffix for suffixes in by_stem.values() for suffix in suffixes)
        for pattern, found in (_twins(by_stem) | _marked(by_stem)).items():
            self._found.add(pattern, folder, found)
        if len(self._first) < _FOLDERS:
            self._first[folder] = frozenset(_bare(stem) for stem in islice(by_stem, _COMPARED))
            self._counts[folder] = len(names)

    def notes(self) -> list[str]:
        """Returns a remark on each pattern."""
        for folder, name in self._folders_of_masks():
            self._found.add(name, folder, [""], count=self._counts[folder])
        return [
            f"may be masks or copies of the images beside them, and count like them ({one.count:,}): "
            f"{', '.join(one.examples)}; to leave them out, add --leave-out '{one.what}'"
            + self._also(one.what, one.count)
            for one in self._found.left_out()
        ]

    def _also(self, pattern: str, count: int) -> str:
        """Says how many images the pattern of a suffix names that have no other beside them."""
        more = self._suffixes[pattern.removeprefix("*")] - count
        return f", which also names {more:,} that stand alone" if more > 0 else ""

    def _folders_of_masks(self) -> Iterator[tuple[str, str]]:
        """Yields folders called like masks that have images of the same names beside or above them.

        Yields:
            The folder, and the part of its path that is called so.
        """
        beside: dict[tuple[int, str], list[str]] = defaultdict(list)
        for folder in self._first:
            for place, part, rest in _parts(folder):
                if not _FOLDER.fullmatch(part) and len(beside[place, rest]) < _SIBLINGS:
                    beside[place, rest].append(folder)
        for folder, first in self._first.items():
            for place, part, rest in _parts(folder):
                others = [*beside.get((place, rest), ()), rest] if _FOLDER.fullmatch(part) else []
                if any(first & self._first.get(other, frozenset()) for other in others):
                    yield folder, part
                    break


def _parts(folder: str) -> Iterator[tuple[int, str, str]]:
    """Yields each part of a path with its place and the path without it."""
    parts = folder.rstrip("/").split("/")
    for place, part in enumerate(parts):
        yield place, part, "".join(f"{other}/" for other in parts[:place] + parts[place + 1 :])


def _twins(by_stem: dict[str, list[str]]) -> dict[str, list[str]]:
    """Returns the names that differ from others by their suffix alone, by pattern."""
    found: dict[str, list[str]] = defaultdict(list)
    for stem, several in by_stem.items():
        if len(several) > 1:
            for suffix in sorted(several, key=_rank)[1:]:
                found[f"*{suffix}" if suffix else stem].append(stem + suffix)
    return found


def _rank(suffix: str) -> tuple[bool, bool, str]:
    """Puts pictures before their masks: those that are decoded first, those without loss last."""
    return suffix.lower() in UNREAD, suffix.lower() in _LOSSLESS, suffix


def _marked(by_stem: dict[str, list[str]]) -> dict[str, list[str]]:
    """Returns the names that are those of others with a word such as ``mask``, by pattern."""
    found: dict[str, list[str]] = defaultdict(list)
    plain: set[str] = set()
    for stem, several in by_stem.items():
        if word := _WORD.search(stem):
            plain = plain or _plain(by_stem)
            numbered = _SEPARATORS.sub("", stem[word.end() :]).isdigit()  # several masks of one picture
            of = {_bare(stem), _joined(stem[: word.start()]) if numbered else ""}
            if of & (plain - {_joined(stem), ""}):
                found[_pattern(stem, word)] += [stem + suffix for suffix in several]
    return found


def _plain(stems: Iterable[str]) -> set[str]:
    """Returns names that masks may have: whole, without ``image`` and the like, or shared up to a dot."""
    keys = Counter(stem.partition(".")[0] for stem in stems if "." in stem)
    shared = {_joined(key) for key, count in keys.items() if count > 1}
    return shared | {name for stem in stems for name in (_joined(stem), _joined(_PICTURE.sub("", stem)))}


def _pattern(stem: str, word: re.Match[str]) -> str:
    """Returns the shell pattern of names that have a word in the same place."""
    if word.start() == 0:
        return f"{stem[: word.end() + 1]}*"
    marked = stem[word.start() - 1 : word.end()]
    return f"*{marked}.*" if word.end() == len(stem) else f"*{marked}*"


def _bare(stem: str) -> str:
    """Returns a name without words such as ``mask``."""
    return _joined(_WORD.sub("", stem))


def _joined(stem: str) -> str:
    """Returns a name in which it plays no role what stands between its parts."""
    return "_".join(part for part in _SEPARATORS.split(stem) if part)
