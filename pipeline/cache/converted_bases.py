"""Bases as OpenVINO reads them, ``<cache>/.networks/<base>``: converted once for a cache.

A base is what the filters, the cuts, the image size and the preprocessing make it, whatever data set it is
used on. Its files are checked against the SHA-256 in its record before they are read as a network.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

from pipeline.cache.entries import Entry, is_lock
from pipeline.cache.locks import exclusive_lock
from pipeline.cache.networks import FILES, sha256_of
from pipeline.errors import PipelineError
from pipeline.files import is_blank, refuse_foreign, refuse_links, remove, written
from pipeline.files import replace as replace_file
from pipeline.plain_json import parse_json
from pipeline.progress import say
from pipeline.spec import FeatureSpec

FOLDER = ".networks"
RECORD = "network.json"
DEPTH = 2
"""Folders of the cache down to a base."""
SOFTWARE = ("keras", "tensorflow", "openvino")
FIELDS = ("backbone", "weights", "layer", "pooling", "image_size", "preprocessing")
"""What of a spec determines the network; the arithmetic is chosen when it is compiled."""
_DRAFT = re.compile(r"draft-[0-9a-f]{8}\.(xml|bin)|network\.json\.[0-9]+\.tmp")


class _DamagedError(Exception):
    """A kept base is not what its record says."""


@dataclass(frozen=True, eq=False)
class ConvertedBase:
    """A base in a cache, whether it is there or not.

    Attributes:
        cache: The cache.
        specs: One for each cut.
    """

    cache: Path
    specs: Sequence[FeatureSpec]

    @cached_property
    def identity(self) -> list[dict[str, Any]]:
        """What determines the network, cut by cut."""
        return [_identity(spec) for spec in self.specs]

    @property
    def folder(self) -> Path:
        """Where it is kept: readable, and unique by eight digits of a digest."""
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()
        first = self.specs[0]
        return self.cache / FOLDER / f"{first.backbone}-{first.image_size}-{digest[:8]}"

    def read_or_make(
        self,
        make: Callable[[], Any],
        *,
        save: Callable[[Any, Path], None],
        load: Callable[[bytes, bytes], Any],
    ) -> Any:
        """Reads the base; where it is not there whole, makes it and keeps it.

        Args:
            make: Converts the base.
            save: Writes what ``make`` returned as a graph at a path, and its filters beside it; an OSError
                or a PipelineError says why it cannot.
            load: Makes of the content of both files what ``make`` returned; a ValueError says why it cannot.

        Returns:
            The base. A cache that cannot be written keeps nothing.

        Raises:
            UsageError: The base cannot be made.
        """
        found = self._read(load)
        if found is not None:
            return found
        with ExitStack() as held:
            try:
                held.enter_context(exclusive_lock(self.folder, depth=DEPTH))
            except (OSError, PipelineError) as error:
                _say_not_kept(error)
                return make()
            found = self._read(load, tell=True)  # another process may have made it meanwhile
            if found is not None:
                return found
            made = make()
            try:
                self._keep(made, save)
            except (OSError, PipelineError) as error:
                _say_not_kept(error)
            return made

    def _read(self, load: Callable[[bytes, bytes], Any], *, tell: bool = False) -> Any:
        try:
            return self._checked(load)
        except FileNotFoundError:
            return None
        except (_DamagedError, OSError, PipelineError) as error:
            if tell:
                say(f"note: the converted base in {self.folder} is not used ({error}): it is made anew")
            return None

    def _checked(self, load: Callable[[bytes, bytes], Any]) -> Any:
        for name in (RECORD, *FILES):
            refuse_links(self.folder / name, root=self.cache)
        try:
            record = parse_json((self.folder / RECORD).read_text())
            checksums, identity = dict(record["files"]), record["bases"]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _DamagedError(f"{RECORD} is damaged") from error
        if identity != self.identity:
            raise _DamagedError(f"{RECORD} describes another")
        graph, filters = ((self.folder / name).read_bytes() for name in FILES)
        for name, content in zip(FILES, (graph, filters), strict=True):
            if hashlib.sha256(content).hexdigest() != checksums.get(name):
                raise _DamagedError(f"{name} is not what {RECORD} says")
        try:
            return load(graph, filters)
        except ValueError as error:  # another version wrote it
            raise _DamagedError(str(error)) from error

    def _keep(self, made: Any, save: Callable[[Any, Path], None]) -> None:
        """Writes the record last: a base without its checksums is not whole."""
        for name in (*FILES, RECORD):
            refuse_foreign(self.folder / name, root=self.cache, known=is_of_a_base)
        self._remove_drafts()
        try:
            self._write(made, save)
        finally:
            self._remove_drafts()

    def _remove_drafts(self) -> None:
        """Removes what is left of a draft, also of a process that was killed; the caller holds the lock."""
        for path in self.folder.iterdir():
            if _DRAFT.fullmatch(path.name):
                remove(path, root=self.cache, known=is_of_a_base)

    def _write(self, made: Any, save: Callable[[Any, Path], None]) -> None:
        draft = self.folder / f"draft-{uuid.uuid4().hex[:8]}.xml"
        save(made, draft)
        checksums = {}
        for name in FILES:
            part = draft.with_suffix(Path(name).suffix)
            checksums[name] = sha256_of(part)
            replace_file(part, self.folder / name, root=self.cache, known=is_of_a_base)
        record = {
            "bases": self.identity,
            "files": checksums,
            "software": {name: version(name) for name in SOFTWARE},
        }
        with written(self.folder / RECORD, root=self.cache, known=is_of_a_base) as file:
            file.write(json.dumps(record, indent=1).encode())


def _identity(spec: FeatureSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in FIELDS}


def _say_not_kept(error: Exception) -> None:
    say(f"note: the converted base is not kept: {error}")


def unused_bases(cache: Path, entries: Iterable[Entry]) -> list[Path]:
    """Lists the folders of bases that no entry was made with; the next command that needs one makes it again.

    Args:
        cache: The cache.
        entries: All that stand in it.
    """
    cuts = [_identity(entry.spec) for entry in entries]
    unused = []
    for folder in sorted((cache / FOLDER).glob("*")):
        with suppress(OSError, PipelineError, AttributeError, KeyError, TypeError, ValueError):
            refuse_links(folder / RECORD, root=cache)
            bases = parse_json((folder / RECORD).read_text())["bases"]
            if not all(base in cuts for base in bases):
                unused.append(folder)
    return unused


def is_of_a_base(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is one that this module makes; filters have no mark of their own."""
    graph, filters = FILES
    if name.name == graph:
        return is_blank(head) or b"<net" in head[:200]
    if name.name == RECORD:
        return is_blank(head) or b'"bases"' in head[:40]
    return name.name == filters or _DRAFT.fullmatch(name.name) is not None or is_lock(name, head)
