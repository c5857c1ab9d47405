"""Trained heads on disk: a folder with a sealed ``head.json``, the model and what it has seen.

The folder is whole or absent; ``head.json`` has the checksums of the other files.
"""

from __future__ import annotations

import encodings.cp437  # noqa: F401 - zipfile wants it late, when the system may open no more files
import hashlib
import json
import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.errors import (
    CacheMismatchError,
    PipelineError,
    UnreadableFileError,
    UsageError,
    disk_errors,
    system_refusal,
)
from pipeline.files import refuse_links
from pipeline.heads._core.familiarity import Familiarity
from pipeline.heads._core.head import Head, Task, describe_head, make_head
from pipeline.heads._core.head_record import NEWER, RECORD, from_record, to_record
from pipeline.heads._core.seen import SeenImages
from pipeline.heads._core.targets import file_of, target_head
from pipeline.heads._core.temperature import Temperature
from pipeline.heads._core.trained import TrainedHead
from pipeline.images.targets import CLASS
from pipeline.paths import expanded, is_folder_name
from pipeline.plain_json import MAX_BYTES, parse_sealed, read_sealed, require_regular_file, sealed
from pipeline.progress import say
from pipeline.publishing import pinned, published, replace_within
from pipeline.run_files import is_of_a_head, runs_of
from pipeline.spec import FeatureSpec

SEEN, FAMILIAR = "seen.bin", "familiar.bin"
TRIES = 5
"""How often a head is read that others train again meanwhile."""

TROUBLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    EOFError,
    struct.error,
    zipfile.BadZipFile,
    UsageError,
)
"""What JSON, NumPy, skops and Keras raise at files that are damaged or made to do harm."""


def run_folder(runs: Path, dataset: str, spec: FeatureSpec, name: str) -> Path:
    """Returns the folder in which a head trained on an entry of a data set is saved.

    Raises:
        UsageError: The data set's name, which may come from a file, would lead out of ``runs``.
    """
    if not is_folder_name(dataset):
        raise UsageError(f"{dataset!r} is no name of a data set: choose one without slashes, with --name")
    return expanded(runs) / dataset / spec.entry_name / name


def save_head(trained: TrainedHead, *, runs: Path) -> TrainedHead:
    """Saves a trained head; an older one in the same place gives way to the complete new one.

    With it goes the temperature of the older one, which belongs to what that had learnt, and its reports and
    exports; what this package did not make stays in the folder.

    Returns:
        The head with its ``folder``.

    Raises:
        PipelineError: The folder cannot be written.
    """
    folder = run_folder(runs, trained.dataset, trained.task.spec, trained.name)
    _say_if_calibrated(folder)
    with (
        disk_errors(
            f"cannot save the trained head in {folder}",
            "Choose a folder that can be written with `--runs`",
        ),
        published(folder, root=runs_of(folder), known=is_of_a_head) as draft,
    ):
        file = draft / file_of(trained.head, trained.task.target)
        trained.model.save(file)
        checksum = _sha256(file)
        files = {
            "sha256": checksum,
            "seen": _save_seen(trained.seen, draft / SEEN),
            "familiarity": _save_familiarity(trained.familiarity, draft / FAMILIAR),
        }
        (draft / RECORD).write_bytes(_text(to_record(trained) | files))
    return replace(trained, folder=folder, checksum=checksum)


def save_temperature(trained: TrainedHead, temperature: Temperature | None) -> TrainedHead:
    """Saves the temperature of a saved head with it, or takes it away; nothing else of the head changes.

    Args:
        trained: As it was loaded, or saved.
        temperature: What its answers are to be calibrated with; None = they are as it learnt them.

    Returns:
        The head as it is saved now.

    Raises:
        ValueError: The head was never saved.
        ForeignFileError: A link stands on the way.
        PipelineError: The head was trained again meanwhile, or the folder cannot be written.
        CacheMismatchError: ``head.json`` is damaged.
    """
    folder, changed = trained.folder, replace(trained, temperature=temperature)
    if folder is None:
        raise ValueError(f"head {trained.name!r} is not saved: save_head() saves it with its temperature")
    again = PipelineError(
        f"the head in {folder} was trained again meanwhile, and its temperature is another: run the same "
        "command again"
    )
    refuse_links(folder, root=runs_of(folder), folder=True)
    with (
        disk_errors(
            f"cannot save the temperature of the head in {folder}",
            "Make room there, or the folder writable, and run the same command again",
        ),
        pinned(folder) as handle,
    ):
        with _blaming(folder / RECORD):
            record = parse_sealed(_read(handle, RECORD), newer=NEWER)
        if record["sha256"] != trained.checksum:
            raise again
        files = {"sha256": record["sha256"], **{name: record.get(name) for name in ("seen", "familiarity")}}
        replace_within(handle, RECORD, _text(to_record(changed) | files))
        if not os.path.samestat(os.fstat(handle), os.stat(folder)):
            raise again
    return changed


def load_head(folder: str | os.PathLike[str]) -> TrainedHead:
    """Reads a trained head back; it answers what it answered before it was saved.

    Example:
        >>> load_head("runs/photos/vgg16-150-block5_pool-1a2b3c4d/logreg").classes

    Args:
        folder: Its run folder.

    Returns:
        The head.

    Raises:
        UsageError: There is no such folder, or no head of its name.
        CacheMismatchError: The folder is damaged or was not written by :func:`save_head`; the message names
            the file.
        UnreadableFileError: The system does not let a file be read now.
    """
    folder = expanded(folder)
    if not folder.is_dir():
        describe_head(folder.name)  # A misspelt head is told from one that is not trained yet.
        raise UsageError(
            f"there is no trained head at {folder}: `pipeline train-head --head {folder.name}` trains one"
        )
    for _ in range(TRIES):
        version = _version(folder)
        try:
            return _load(folder)
        except CacheMismatchError:
            if _version(folder) == version:
                raise
    return _load(folder)


def read_seen(folder: Path) -> SeenImages | None:
    """Reads which images a saved head has seen, and nothing else; None where an earlier version saved it.

    Raises:
        CacheMismatchError: The folder is damaged or was not written by :func:`save_head`.
    """
    with _blaming(folder / RECORD):
        record = read_sealed(folder / RECORD, newer=NEWER)
    return _load_seen(folder / SEEN, record.get("seen"))


def _load(folder: Path) -> TrainedHead:
    with _blaming(folder / RECORD):
        record = read_sealed(folder / RECORD, newer=NEWER)
        head = make_head(record["name"], record["options"])
        known = from_record(record)
    seen = _load_seen(folder / SEEN, record.get("seen"))
    familiarity = _load_familiarity(folder / FAMILIAR, record.get("familiarity"), known["task"])
    task = known["task"]
    file = folder / file_of(head, task.target)
    with _blaming(file):
        require_regular_file(file)
        if _sha256(file) != record["sha256"]:
            raise ValueError("its SHA-256 is not the one that head.json records")
        model = (
            head.load(file, task)
            if task.target == CLASS
            else target_head(head, task.target).load_targets(file, task)
        )
    _say_if_upgraded(head, known["versions"])
    return TrainedHead(
        head=head,
        model=model,
        folder=folder,
        seen=seen,
        familiarity=familiarity,
        checksum=record["sha256"],
        **known,
    )


def _text(record: dict[str, Any]) -> bytes:
    return f"{json.dumps(sealed(record), indent=2)}\n".encode("ascii")


def _read(handle: int, name: str) -> bytes:
    """Reads a record in a pinned folder."""
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle), "rb") as file:
        return file.read(MAX_BYTES)


def _version(folder: Path) -> tuple[int, int] | None:
    """Tells one version of a saved head from the next: the files of two must not be read as one."""
    try:
        found = (folder / RECORD).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _save_seen(seen: SeenImages | None, file: Path) -> dict[str, Any] | None:
    """Writes what a head has seen, and returns what ``head.json`` has to say of that file."""
    if seen is None:
        return None
    content = seen.to_bytes()
    file.write_bytes(content)
    return {"counts": seen.counts, "sha256": hashlib.sha256(content).hexdigest()}


def _load_seen(file: Path, described: dict[str, Any] | None) -> SeenImages | None:
    if described is None:
        return None
    with _blaming(file):
        counts = tuple(map(int, described["counts"]))
        return SeenImages.of_bytes(_checked(file, described["sha256"]), counts)


def _save_familiarity(familiarity: Familiarity | None, file: Path) -> dict[str, Any] | None:
    if familiarity is None:
        return None
    content = familiarity.to_bytes()
    file.write_bytes(content)
    return familiarity.to_json() | {"sha256": hashlib.sha256(content).hexdigest()}


def _load_familiarity(file: Path, described: dict[str, Any] | None, task: Task) -> Familiarity | None:
    if described is None:
        return None
    with _blaming(file):
        return Familiarity.read(_checked(file, described["sha256"]), described, task.feature_shape)


def _checked(file: Path, sha256: str) -> bytes:
    """Reads a file whose checksum is known."""
    require_regular_file(file)
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError("its SHA-256 is not the one that head.json records")
    return content


@contextmanager
def _blaming(file: Path) -> Iterator[None]:
    """Turns whatever goes wrong while a file is read into one line that names the file and the remedy."""
    try:
        yield
    except TROUBLE as error:
        if not isinstance(error, FileNotFoundError) and (refusal := system_refusal(error)):
            raise UnreadableFileError(file, refusal) from error
        reason = f"no {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
        raise CacheMismatchError(
            f"{file} is damaged or foreign: {reason}. "
            f"`pipeline train-head --head {file.parent.name}` trains it again"
        ) from error


def _say_if_calibrated(folder: Path) -> None:
    with suppress(*TROUBLE):
        older = from_record(read_sealed(folder / RECORD, newer=NEWER))["temperature"]
        if older is not None:
            say(
                f"note: the head before was calibrated ({older.line}), this one is not: "
                "`pipeline evaluate --calibrate` fits its own"
            )


def _say_if_upgraded(head: Head, versions: dict[str, str]) -> None:
    library = head.software[0]
    then, now = versions.get(library, "unknown"), version(library)
    if then.split(".")[:2] != now.split(".")[:2]:
        say(f"note: the head was trained with {library} {then} and runs with {now}, so scores may differ")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
