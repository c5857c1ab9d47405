"""Where a base's filters come from, and their identity."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from pipeline.backbones.table import BACKBONES, Backbone
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.progress import say
from pipeline.spec import FeatureSpec

WEIGHTS_HOST = "storage.googleapis.com"
REACH_TIMEOUT_S = 3.0


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


def resolve_weights(backbone: str, choice: str, image_size: int) -> Weights:
    """Finds the filters behind ``--weights``.

    Args:
        backbone: A row of ``BACKBONES``.
        choice: ``imagenet`` (strict), ``random`` or ``random:<seed>``, ``auto`` (ImageNet where it can be
            had within seconds, else random), or the path of a weights file.
        image_size: Height and width in pixels.

    Raises:
        UsageError: The file does not exist, or ImageNet weights cannot be downloaded.
    """
    row = BACKBONES[backbone]
    if not row.factory:
        return Weights("none", "none")
    if choice == "auto":
        return _automatic(backbone, row, image_size)
    if match := re.fullmatch(r"random(?::(\d+))?", choice):
        seed = int(match[1] or 0)
        return Weights(f"random:{seed}", "random", seed=seed)
    if choice == "imagenet":
        path = _imagenet_file(row, image_size)
        if not path.is_file():
            _download(backbone, row, image_size)
        return Weights(f"sha256:{_sha256(path)}", "imagenet", path)
    path = Path(choice)
    if not path.is_file():
        raise UsageError(
            f"weights {choice!r} is not a file: choose imagenet, random, auto or the path of a weights file"
        )
    return Weights(f"sha256:{_sha256(path)}", path.name, path.resolve())


def find_weights(backbone: str, identity: str, image_size: int) -> Weights | None:
    """Finds filters by their identity; None where they stand in a file that only the user can name.

    Args:
        backbone: A row of ``BACKBONES``.
        identity: As in a ``FeatureSpec``.
        image_size: Height and width in pixels.
    """
    if identity.startswith("random:") or not BACKBONES[backbone].factory:
        return resolve_weights(backbone, identity, image_size)
    if not _imagenet_file(BACKBONES[backbone], image_size).is_file():
        return None
    weights = resolve_weights(backbone, "imagenet", image_size)
    return weights if weights.identity == identity else None


def weights_of(spec: FeatureSpec, choice: str | None, *, option: str) -> Weights:
    """Returns the very filters that made some features.

    Args:
        spec: What determined the features.
        choice: A weights file, ``imagenet``, ``random:<seed>``, or None to find them by their identity.
        option: How the user can name the file, for the message where it has to be named.

    Raises:
        UsageError: They cannot be found.
        CacheMismatchError: ``choice`` are others than those that made the features.
    """
    if choice is None:
        weights = find_weights(spec.backbone, spec.weights, spec.image_size)
        if weights is None:
            raise UsageError(
                f"the filters that made these features, {spec.weights[:15]}..., are in a file of yours: "
                f"name it with `{option}`"
            )
        return weights
    weights = resolve_weights(spec.backbone, choice, spec.image_size)
    if weights.identity != spec.weights:
        raise CacheMismatchError(
            f"weights {choice!r} are {weights.identity[:15]}..., but the features were made with "
            f"{spec.weights[:15]}...: give those, or run `pipeline extract --weights {choice}`"
        )
    return weights


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


def _imagenet_file(row: Backbone, image_size: int) -> Path:
    """Where Keras keeps the downloaded file (``keras.utils.get_file``), found without importing Keras."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    sizes = row.weights_sizes or (image_size,)
    size = image_size if image_size in sizes else sizes[-1]
    return home / "models" / row.weights_file.format(size=size)


def _download(backbone: str, row: Backbone, image_size: int) -> None:
    say(f"downloading the ImageNet weights of {backbone}")
    try:
        from pipeline.backbones.loading import build_application

        build_application(row, image_size, imagenet=True)
    except Exception as error:  # Keras raises a bare Exception for a failed download
        reason = str(error).strip().splitlines()[0]
        raise UsageError(
            f"weights 'imagenet' of {backbone} cannot be had ({reason}). Put the file at "
            f"{_imagenet_file(row, image_size)}, or choose --weights PATH or --weights random"
        ) from error


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
