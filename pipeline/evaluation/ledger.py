"""How often rows have been looked at: every choice made after a look is a choice made on them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pipeline.errors import ForeignFileError
from pipeline.evaluation.files import not_written
from pipeline.files import make_folder, open_file, root_of, written
from pipeline.plain_json import parse_sealed, sealed
from pipeline.publishing import sync_to_disk
from pipeline.wording import counted

LEDGER = "evaluations.jsonl"
WORDS = (b'"answers"', b'"split"')
"""Keys of every line, of which a damaged one keeps the other."""
LARGEST = 1 << 26
"""Bytes of another entry's ledger that is read: a line takes about 150."""
MANY = 10
"""Different answers on a test split above which the best of them is no longer an honest figure."""


@dataclass(frozen=True)
class Looks:
    """How often rows were used to judge heads: those of a split, under whatever name they stood then.

    Attributes:
        split: The split.
        evaluations: How many evaluations there were on this split or on the same images, this one included.
        heads: How many heads took part.
        answers: How many different sets of answers were judged; doing the same again adds none.
        renamed: How many of the evaluations were on the same images as another split.
        held_out: How many evaluations of this entry there were on any images but those of the training split.
        elsewhere: How many different sets of answers to the same images other features of the data set gave.
        damaged: Lines of the ledger that cannot be believed, and count for no split.
    """

    split: str
    evaluations: int
    heads: int
    answers: int
    renamed: int = 0
    held_out: int = 0
    elsewhere: int = 0
    damaged: int = 0

    @property
    def line(self) -> str:
        """The numbers in words."""
        heads = f"{self.heads} head{'s' if self.heads > 1 else ''}"
        parts = [f"this is evaluation {self.evaluations:,} on the {self.split} split of this entry, {heads}"]
        if self.renamed:
            parts.append(f"{self.renamed:,} of them on the same images under another name")
        if self.held_out > self.evaluations:
            parts.append(f"{self.held_out:,} on held-out images of this entry in all")
        if self.elsewhere:
            more = (
                f"{self.elsewhere:,} more {'heads or settings' if self.elsewhere > 1 else 'head or setting'}"
            )
            parts.append(f"{more} measured on the same images with other features")
        if self.damaged:
            lines = "a damaged line" if self.damaged == 1 else f"{self.damaged:,} damaged lines"
            parts.append(f"without {lines} of {LEDGER}")
        return "; ".join(parts)

    @property
    def note(self) -> str:
        """A warning where a test split was used too often; empty otherwise."""
        answers = self.answers + self.elsewhere
        if self.split != "test" or answers <= MANY:
            return ""
        looked = counted(answers, "different head or setting", "different heads or settings")
        return (
            f"{looked} were measured on this test split: the best of them "
            "looks better than it is, because it was chosen on these rows. Choose with `--split val`, and "
            "measure the one that is chosen here"
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the numbers by name."""
        return asdict(self)


def record_look(
    folder: Path, *, head: str, split: str, probabilities: np.ndarray, digests: np.ndarray
) -> Looks:
    """Adds a line to the ledger of an entry and counts the lines about the same split or the same images.

    The ledger lies outside the folders of heads and reports, which are replaced whole. It is only ever
    appended to, under a lock: two processes at once are counted one after the other. A line that a crash,
    an editor or a disk has damaged counts as such; a file without any line of this package is left alone. The
    ledgers of the other entries of the data set are only read.

    Args:
        folder: Where the ledger lies; created where absent.
        head: Name of the head.
        split: The split that was looked at.
        probabilities: float (n, k), the head's own answers; only their digest is kept.
        digests: uint8 (n, 32), SHA-256 of each image: the same images are known whatever the split is called.

    Raises:
        ForeignFileError: A link stands there, or something else that is no ledger.
        PipelineError: The ledger cannot be written.
    """
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "head": head,
        "split": split,
        "answers": hashlib.sha256(np.ascontiguousarray(probabilities).data).hexdigest()[:16],
        "images": _digest_of_all(digests),
    }
    path = folder / LEDGER
    root = root_of(path, 2)  # <runs>/<dataset>/<entry>/evaluations.jsonl
    with not_written(f"the evaluation cannot be counted in {path}"):
        make_folder(folder, root=root)
        with _locked(path, root) as file:
            before = file.read()
            if before.strip() and not any(word in before for word in WORDS):
                raise ForeignFileError(path, "was not made by this package", root)
            # A process that was killed in the middle of its line must not swallow this one.
            file.write(
                (b"\n" if before[-1:] not in (b"", b"\n") else b"")
                + json.dumps(sealed(line)).encode()
                + b"\n"
            )
            file.flush()
            os.fsync(file.fileno())
            if not before:  # its name is new, too
                sync_to_disk(folder)
    every = [*_lines(before), line]
    told = [known for known in every if known is not None]
    same = [known for known in told if split == known["split"] or line["images"] == known["images"]]
    others = (known for other in _other_ledgers(path) for known in _lines(other) if known is not None)
    return Looks(
        split,
        evaluations=len(same),
        heads=len({known["head"] for known in same}),
        answers=len({known["answers"] for known in same}),
        renamed=sum(known["split"] != split for known in same),
        held_out=sum(known["split"] != "train" for known in told),
        elsewhere=len({known["answers"] for known in others if known["images"] == line["images"]}),
        damaged=every.count(None),
    )


@contextmanager
def _locked(path: Path, root: Path) -> Iterator[BinaryIO]:
    """Opens a ledger to be read and appended to, alone; one with other names is copied first."""
    while True:
        with os.fdopen(open_file(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, root=root), "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            if not os.path.samestat(os.fstat(file.fileno()), os.lstat(path)):
                continue  # copied meanwhile
            if os.fstat(file.fileno()).st_nlink == 1:
                yield file
                return
            # A hard link, of a copy of all runs for example: the lines of the other name stay as they are.
            with written(path, root=root, known=lambda _, head: True) as copy:
                copy.write(file.read())


def _digest_of_all(digests: np.ndarray) -> str:
    """Names a set of images, in whatever order they stand."""
    return hashlib.sha256(b"".join(sorted(row.tobytes() for row in digests))).hexdigest()[:16]


def _other_ledgers(own: Path) -> Iterator[bytes]:
    """Yields what the ledgers of the other entries of the data set hold, as far as they can be read."""
    for path in sorted(own.parent.parent.glob(f"*/{LEDGER}")):
        with suppress(OSError):
            if path != own and not path.is_symlink() and path.is_file() and path.stat().st_size <= LARGEST:
                yield path.read_bytes()


def _lines(content: bytes) -> Iterator[dict[str, str] | None]:
    """Yields what each line says, None for one that cannot be believed; old ones tell no images."""
    for line in filter(None, content.split(b"\n")):
        try:
            known = parse_sealed(line)
            yield {key: str(known[key]) for key in ("head", "split", "answers")} | {
                "images": str(known.get("images", ""))
            }
        except (ValueError, LookupError, RecursionError):
            yield None
