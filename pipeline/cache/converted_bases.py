"""Bases as OpenVINO reads them, ``<cache>/.networks/<base>``: converted once for a cache.

A base is what the filters, the cuts, the image size and the preprocessing make it, whatever data set it is
used on. Its files are checked against the SHA-256 in its record before they are read as a network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

from pipeline.cache.entries import is_lock
from pipeline.cache.locks import exclusive_lock
from pipeline.cache.networks import FILES
from pipeline.errors import PipelineError
from pipeline.files import is_blank, refuse_foreign, refuse_links, written
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
_DRAFT = re.compile(r"draft-[0-9]+\.(xml|bin)|network\.json\.[0-9]+\.tmp")

Content = tuple[bytes, bytes]
"""The graph, and its filters."""


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
        return [{name: asdict(spec)[name] for name in FIELDS} for spec in self.specs]

    @property
    def folder(self) -> Path:
        """Where it is kept: readable, and unique by eight digits of a digest."""
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()
        first = self.specs[0]
        return self.cache / FOLDER / f"{first.backbone}-{first.image_size}-{digest[:8]}"

    def read_or_make(self, make: Callable[[], Any], save: Callable[[Any, Path], None]) -> Content | Any:
        """Reads the base; where it is not there whole, makes it and keeps it.

        Args:
            make: Converts the base.
            save: Writes what ``make`` returned as a graph at a path, and its filters beside it.

        Returns:
            The content of its files, or what ``make`` returned. A cache that cannot be written keeps nothing.

        Raises:
            UsageError: The base cannot be made.
        """
        content = self._read()
        if content is not None:
            return content
        made = None
        try:
            with exclusive_lock(self.folder, depth=DEPTH):
                content = self._read(tell=True)  # another process may have made it meanwhile
                if content is not None:
                    return content
                made = make()
                self._keep(made, save)
        except (OSError, PipelineError) as error:
            if made is None:
                raise
            say(f"note: the converted base is not kept: {error}")
        return made

    def _read(self, *, tell: bool = False) -> Content | None:
        try:
            return self._checked()
        except FileNotFoundError:
            return None
        except (_DamagedError, OSError, PipelineError) as error:
            if tell:
                say(f"note: the converted base in {self.folder} is not used ({error}): it is made anew")
            return None

    def _checked(self) -> Content:
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
        return graph, filters

    def _keep(self, made: Any, save: Callable[[Any, Path], None]) -> None:
        """Writes the record last: a base without its checksums is not whole."""
        for name in (*FILES, RECORD):
            refuse_foreign(self.folder / name, root=self.cache, known=is_of_a_base)
        draft = self.folder / f"draft-{os.getpid()}.xml"
        save(made, draft)
        checksums = {}
        for name in FILES:
            part = draft.with_suffix(Path(name).suffix)
            with part.open("rb") as file:
                checksums[name] = hashlib.file_digest(file, "sha256").hexdigest()
            replace_file(part, self.folder / name, root=self.cache, known=is_of_a_base)
        record = {
            "bases": self.identity,
            "files": checksums,
            "software": {name: version(name) for name in SOFTWARE},
        }
        with written(self.folder / RECORD, root=self.cache, known=is_of_a_base) as file:
            file.write(json.dumps(record, indent=1).encode())


def is_of_a_base(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is one that this module makes; filters have no mark of their own."""
    graph, filters = FILES
    if name.name == graph:
        return is_blank(head) or b"<net" in head[:200]
    if name.name == RECORD:
        return is_blank(head) or b'"bases"' in head[:40]
    return name.name == filters or _DRAFT.fullmatch(name.name) is not None or is_lock(name, head)
