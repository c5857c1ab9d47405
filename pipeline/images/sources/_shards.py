"""Addresses of tar shards: brace lists, globs, and what they say about the data set's name and splits."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from pipeline.errors import UsageError
from pipeline.images.sources._remote_storage import RemoteStorage
from pipeline.images.sources._storage import LocalStorage, Storage, StoredFile
from pipeline.images.sources._stores import connect, protocol_of
from pipeline.images.sources._words import in_natural_order, on_one_line, printable, some, split_of

PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tar.lz4")
"""Suffixes of compressed shards, which cannot be read image by image."""

_THREADS = 8  # requests at once to a remote store; they mostly wait
_MOST = 1_000_000  # shards of one address
_DEEPEST = 16  # braces in braces
_RANGE = re.compile(r"([0-9]{1,18})\.\.([0-9]{1,18})(?:\.\.([0-9]{1,18}))?")
_MAGIC = re.compile(r"[*?\[{]")
_GLOB = re.compile(r"[*?\[]")
_VARIABLE = re.compile(r"\{[^/]*\}|\[[^/]*?\]|[*?]+")
_NUMBER = re.compile(r"[-_.]*[0-9]+(?:[-_.]?of[-_.]?[0-9]+)?$")


def is_shards(uri: str) -> bool:
    """Tells by its suffix whether an address is one of tar shards; folders of such a name are none."""
    end = uri.rstrip("}").lower()
    return end.endswith((".tar", *PACKED)) and not os.path.isdir(os.path.expanduser(uri))


def refuse_packed(uri: str) -> None:
    """Refuses compressed shards.

    Raises:
        UsageError: The address ends in a suffix such as ``.tar.gz``.
    """
    if uri.rstrip("}").lower().endswith(PACKED):
        raise UsageError(
            f"{on_one_line(uri)} is compressed, so no image can be read without unpacking all before it: "
            "unpack it to .tar first (gunzip, unzstd), which costs little, for images are compressed already"
        )


def cut_root(pattern: str, is_folder: Callable[[str], bool]) -> tuple[str, str]:
    """Cuts a pattern into the folder that it begins with, and the rest, which says which shards to take.

    Args:
        pattern: Path with ``/``.
        is_folder: Whether a path with ``{``, ``[``, ``*`` or ``?`` in it is a folder all the same.
    """
    parts = pattern.split("/")
    end = 1
    while end < len(parts):
        if _MAGIC.search(parts[end - 1]) and not is_folder("/".join(parts[:end])):
            break
        end += 1
    return "/".join(parts[: end - 1]), "/".join(parts[end - 1 :])


def find_shards(
    rest: str, *, shown: str, present: Callable[[list[str]], set[str]], glob: Callable[[str], Iterable[str]]
) -> list[str]:
    """Returns the names of all shards that a pattern means, in natural order; a name that exists is itself.

    Args:
        rest: Pattern relative to the root.
        shown: The whole address, for messages.
        present: Which of some relative names are there.
        glob: Lists the relative names that match.

    Raises:
        UsageError: A shard is missing, nothing matches, or there are too many.
    """
    if _MAGIC.search(rest) and present([rest]):
        return [rest]
    names = _limited(expand(rest), shown)
    if any(name.startswith("/") or ".." in name.split("/") for name in names):
        raise UsageError(f"{shown} leads out of its own folder: give shards below one folder")
    found = present([name for name in names if not _GLOB.search(name)])
    patterns = [name for name in names if _GLOB.search(name)]
    missing = [name for name in names if name not in found and not _GLOB.search(name)]
    found |= {name for pattern in patterns for name in glob(pattern)}
    if missing == [rest]:
        raise UsageError(f"{shown} does not exist: check the address")
    if missing:
        raise UsageError(f"{shown} names shards that do not exist ({len(missing):,}): {some(missing)}")
    if not found:
        raise UsageError(f"no file matches {shown}: check the address")
    return in_natural_order(found)


@dataclass(frozen=True)
class Shards:
    """The tar shards that an address means.

    Attributes:
        address: The canonical address of all of them.
        storage: Where they are kept.
        rest: What of the address follows the root of the storage.
    """

    address: str
    storage: Storage
    rest: str

    @classmethod
    def at(cls, uri: str) -> Shards:
        """Finds the folder that an address begins with, here or in a remote store.

        Raises:
            UsageError: The address is malformed, or a package is missing.
            PipelineError: The store cannot be opened.
        """
        if protocol_of(uri):
            store, path = connect(uri)
            root, rest = cut_root(path, lambda folder: False)
            return cls(store.unstrip_protocol(path), RemoteStorage(store, root), rest)
        root, rest = cut_root(os.path.abspath(os.path.expanduser(uri)), os.path.isdir)
        root = os.path.realpath(root or "/")
        return cls(os.path.join(root, rest), LocalStorage(root), rest)

    def find(self) -> list[StoredFile]:
        """Returns the shards in natural order of their names.

        Raises:
            UsageError: There are none, one of them is missing or cannot be read, or a web address holds a
                glob.
            PipelineError: The store does not answer.
        """
        found: dict[str, StoredFile] = {}

        def present(names: list[str]) -> set[str]:
            with ThreadPoolExecutor(self.threads) as pool:
                files = zip(names, pool.map(self.storage.look, names), strict=True)
                there = {name: file for name, file in files if file}
            found.update(there)
            return set(there)

        def matching(pattern: str) -> Iterable[str]:
            there = self.storage.glob(pattern)
            found.update(there)
            return there

        names = find_shards(self.rest, shown=on_one_line(self.address), present=present, glob=matching)
        return [found[name] for name in names]

    @property
    def threads(self) -> int:
        """How many shards are worth looking at at once."""
        return _THREADS if self.storage.is_remote else 1


def _limited(names: Iterator[str], shown: str) -> list[str]:
    listed = list(islice(names, _MOST + 1))
    if len(listed) > _MOST:
        raise UsageError(f"{shown} means more than {_MOST:,} shards: give fewer")
    return listed


def expand(pattern: str, depth: int = 0) -> Iterator[str]:
    """Expands ``{000..099}`` (also with a step, ``{0..8..2}``) and ``{train,val}`` as a shell does.

    Braces may stand in one another; those that hold neither a range nor a comma stay as they are. Numbers
    keep leading zeros.

    Raises:
        UsageError: More than 16 braces stand in one another.
    """
    if depth > _DEEPEST:
        raise UsageError(f"more than {_DEEPEST} braces stand in one another in a list of shards")
    for start, end in _braces(pattern):
        inside = pattern[start + 1 : end]
        if choices := _choices(inside):
            for choice in choices:
                for middle in expand(choice, depth + 1):
                    for rest in expand(pattern[end + 1 :], depth):
                        yield pattern[:start] + middle + rest
            return
    yield pattern


def _braces(pattern: str) -> Iterator[tuple[int, int]]:
    """Yields where each brace opens and closes, from the left."""
    open_at: list[int] = []
    pairs: list[tuple[int, int]] = []
    for at, letter in enumerate(pattern):
        if letter == "{":
            open_at.append(at)
        elif letter == "}" and open_at:
            pairs.append((open_at.pop(), at))
    yield from sorted(pairs)


def _choices(inside: str) -> Iterable[str]:
    if numbers := _RANGE.fullmatch(inside):
        first, last, step = numbers.groups()
        # As in bash, one number with a leading zero sets the width of all.
        padded = any(len(text) > 1 and text[0] == "0" for text in (first, last))
        width = max(len(first), len(last)) if padded else 0
        stride = max(int(step or 1), 1)
        down = int(first) > int(last)
        span = range(int(first), int(last) - 1, -stride) if down else range(int(first), int(last) + 1, stride)
        return (f"{number:0{width}d}" for number in span)
    parts, depth = [""], 0
    for letter in inside:
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts if len(parts) > 1 else []


def data_name(root: str, rest: str) -> str:
    """Returns a name for the data set: ``photos`` for ``photos-{00..09}.tar``, else that of the folder."""
    stem = rest.rpartition("/")[2].removesuffix(".tar").removesuffix(".TAR")
    name = re.sub(r"[-_. ]{2,}", "-", _VARIABLE.sub("", stem)).strip("-_. {}[],")
    if not name or split_of(name) or "/" in rest:
        name = root.rpartition("/")[2]
    return printable(name) or "shards"


def split_of_shard(name: str) -> str | None:
    """Returns the split that a shard's name states, else None.

    The split's word stands at its beginning or before its number (``train-000000.tar``,
    ``imagenet-val-07.tar``), or is the folder it is in (``test/000.tar``).
    """
    *folders, file = name.split("/")
    stem = _NUMBER.sub("", file.rpartition(".")[0])
    words = [stem, *re.split(r"[-_.]", stem)[:1], *re.split(r"[-_.]", stem)[-1:], *reversed(folders)]
    return next((split for word in words if (split := split_of(word))), None)
