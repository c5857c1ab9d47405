"""Where a base's filters come from, and their identity."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.backbones.graph import SUFFIXES, check_file
from pipeline.backbones.imported import refuse_imported
from pipeline.backbones.table import BACKBONES, Backbone
from pipeline.errors import CacheMismatchError, UsageError, reason_of
from pipeline.images.stat_cache import Known, Stamps, StatCache
from pipeline.options import MOST_SEED
from pipeline.paths import with_home
from pipeline.progress import say
from pipeline.runtimes.keras import build_application
from pipeline.spec import FeatureSpec

WEIGHTS_HOST = "storage.googleapis.com"
REACH_TIMEOUT_S = 3.0
FILE = "sha256:"
"""How the identity of filters in a file begins."""
_SEED_DIGITS = 20  # more than any seed has


@dataclass(frozen=True)
class Weights:
    """Filters of a base.

    Attributes:
        identity: ``sha256:<64 hex digits>`` of the file, ``random:<seed>``, or ``none`` for ``pixels``.
        label: What the user asked for: ``imagenet``, ``random``, ``none`` or the file's name.
        path: The file, where there is one.
        seed: Seed of random filters, where they are random.
    """

    identity: str
    label: str
    path: Path | None = None
    seed: int | None = None

    @property
    def named(self) -> Path | None:
        """The file, where it is one that the user named."""
        return None if self.label == "imagenet" else self.path


def resolve_weights(
    backbone: str, choice: str, image_size: int, *, stat_cache: Path | None = None
) -> Weights:
    """Finds the filters behind ``--weights``.

    Args:
        backbone: A row of ``BACKBONES``; any other name is that of a base in a file.
        choice: ``imagenet`` (strict), ``random`` or ``random:<seed>``, ``auto`` (ImageNet where it can be
            had within seconds, else random), or the path of a weights file.
        image_size: Height and width in pixels.
        stat_cache: Where the digest of a file of the user's is kept for :func:`file_identity`.

    Raises:
        UsageError: The file cannot be read, or ImageNet weights cannot be downloaded.
    """
    if backbone not in BACKBONES:
        return weights_in(_existing(choice), stat_cache=stat_cache)
    row = BACKBONES[backbone]
    if not row.factory:
        return Weights("none", "none")
    if choice == "auto":
        return _automatic(backbone, row, image_size)
    if match := re.fullmatch(r"random(?::(\d+))?", choice):
        seed = int((match[1] or "").lstrip("0")[:_SEED_DIGITS] or 0)
        if seed > MOST_SEED:
            raise UsageError(f"the seed in {choice[:40]!r} is too large: choose from 0 to {MOST_SEED}")
        return Weights(f"random:{seed}", "random", seed=seed)
    if choice == "imagenet":
        path = _imagenet_file(row, image_size)
        if not path.is_file():
            _download(backbone, row, image_size)
        return Weights(f"sha256:{_sha256(path)}", "imagenet", path)
    return weights_in(_existing(choice), stat_cache=stat_cache)


def weights_in(path: Path, *, stat_cache: Path | None = None) -> Weights:
    """Reads the identity of the filters in a file, and remembers it.

    Raises:
        UsageError: It cannot be read, or is a network that cannot be used.
    """
    files = [path, *_beside(path)]
    now = [
        _as_it_is_now(one) for one in files
    ]  # asked before they are read: a change in between shows next time
    digests = [_sha256(one) for one in files]
    with StatCache(stat_cache) as cache:
        cache.store(
            [one._replace(digest=bytes.fromhex(digest)) for one, digest in zip(now, digests, strict=True)]
        )
    return Weights(_identity(files, digests), path.name, path.resolve())


def _beside(path: Path) -> list[Path]:
    """Lists the files beside a network that hold filters of it."""
    return [path.parent / name for name in check_file(path)] if path.suffix.lower() in SUFFIXES else []


def _identity(files: Sequence[Path], digests: Sequence[str]) -> str:
    """Returns the identity of filters: the SHA-256 of their file, or of the names and digests of several."""
    if len(files) == 1:
        return FILE + digests[0]
    lines = [f"{digest} {file.name}" for file, digest in zip(files[1:], digests[1:], strict=True)]
    return FILE + hashlib.sha256("\n".join([digests[0], *lines]).encode()).hexdigest()


def file_identity(choice: str, *, stat_cache: Path | None = None) -> str:
    """Returns the identity of the filters in a file: ``sha256:`` and the SHA-256 of its bytes.

    That of a network with external data is the SHA-256 of the digests of all its files.

    Args:
        choice: Its path.
        stat_cache: Where the digests of unchanged files are known; what is found there is not read again.

    Raises:
        UsageError: It cannot be read, or is no file.
    """
    path = _existing(choice)
    files = [path, *_beside(path)]
    with StatCache(stat_cache) as cache:
        known = cache.look_up([_as_it_is_now(one) for one in files])
    digests = [found.hex() if found else _sha256(one) for one, found in zip(files, known, strict=True)]
    return _identity(files, digests)


def _as_it_is_now(path: Path) -> Known:
    path = path.resolve()
    return Known(str(path), Stamps().of(path))


def weights_of(spec: FeatureSpec, choice: str | None, *, option: str, file: Path | None = None) -> Weights:
    """Returns the very filters that made some features.

    Args:
        spec: What determined the features.
        choice: A weights file, ``imagenet``, ``random:<seed>``, or None to find them by their identity.
        option: How the user can name the file, for the message where it has to be named.
        file: Where the filters were read from; they are taken from there while they are there.

    Raises:
        UsageError: They cannot be found, or are of a base that is not here.
        CacheMismatchError: ``choice`` are others than those that made the features.
    """
    refuse_imported(spec)
    if choice is None:
        return _find(spec, file, option)
    weights = resolve_weights(spec.backbone, choice, spec.image_size)
    if weights.identity != spec.weights:
        raise CacheMismatchError(
            f"weights {choice!r} are {weights.identity[:15]}..., but the features were made with "
            f"{spec.weights[:15]}...: give those, or run `pipeline extract --weights {choice}`"
        )
    return weights


def _find(spec: FeatureSpec, file: Path | None, option: str) -> Weights:
    """Finds filters by their identity: drawn again, in the file they came from, or where Keras keeps its own.

    Raises:
        UsageError: They are in a file that only the user can name.
    """
    if not spec.weights.startswith(FILE):
        return resolve_weights(spec.backbone, spec.weights, spec.image_size)
    where = "are in a file of yours"
    if file is not None:
        try:
            weights = resolve_weights(spec.backbone, str(file), spec.image_size)
        except UsageError:
            where = f"were read from {file}, which cannot be read any more"
        else:
            if weights.identity == spec.weights:
                return weights
            where = f"were read from {file}, which now holds others ({weights.identity[:15]}...)"
    row = BACKBONES.get(spec.backbone)
    if row is not None and _imagenet_file(row, spec.image_size).is_file():
        weights = resolve_weights(spec.backbone, "imagenet", spec.image_size)
        if weights.identity == spec.weights:
            return weights
    raise UsageError(
        f"the filters that made these features, {spec.weights[:15]}..., {where}: name it with `{option}`"
    )


def _automatic(backbone: str, row: Backbone, image_size: int) -> Weights:
    if _imagenet_file(row, image_size).is_file() or _reachable():
        with contextlib.suppress(UsageError):
            return resolve_weights(backbone, "imagenet", image_size)
    say(
        f"WARNING: ImageNet weights of {backbone} cannot be had here; using SEEDED RANDOM FILTERS. "
        "They show how the pipeline works and what it costs, not what it can reach: expect lower accuracy"
    )
    return resolve_weights(backbone, "random", image_size)


def _reachable() -> bool:
    try:
        socket.create_connection((WEIGHTS_HOST, 443), timeout=REACH_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def at_hand(backbone: str, image_size: int) -> bool:
    """Tells whether the ImageNet filters of a row of the table are on this machine; ``pixels`` needs none."""
    row = BACKBONES[backbone]
    return not row.factory or _imagenet_file(row, image_size).is_file()


def _imagenet_file(row: Backbone, image_size: int) -> Path:
    """Where Keras keeps the downloaded file (``keras.utils.get_file``), found without importing Keras."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    sizes = row.weights_sizes or (image_size,)
    size = image_size if image_size in sizes else sizes[-1]
    return home / "models" / row.weights_file.format(size=size)


def _download(backbone: str, row: Backbone, image_size: int) -> None:
    say(f"downloading the ImageNet weights of {backbone}")
    try:
        build_application(row.factory, image_size, imagenet=True, options=row.options)
    except Exception as error:  # Keras raises a bare Exception for a failed download
        raise UsageError(
            f"weights 'imagenet' of {backbone} cannot be had ({reason_of(error)}). Put the file at "
            f"{_imagenet_file(row, image_size)}, or choose --weights PATH or --weights random"
        ) from error


def _existing(choice: str) -> Path:
    path = Path(with_home(choice))
    if not path.is_file():
        raise UsageError(
            f"weights {choice!r} is not a file: choose imagenet, random, auto or the path of a weights file"
        )
    return path


def _sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"weights {str(path)!r} cannot be read: {reason_of(error)}") from error
