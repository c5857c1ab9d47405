"""The command that makes an entry again, or takes in what has changed since it was made."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline.backbones.finding import base_of, is_file_address
from pipeline.backbones.table import Cut
from pipeline.cache.entries import Entry, dataset_name
from pipeline.cache.finding import asked_of, augmentation_of, setting, stored_views
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.request import FeatureRequest
from pipeline.images.listed_rows import SCHEME
from pipeline.images.resizing import by_package
from pipeline.images.source_options import flag
from pipeline.spec import IMPORTED

DEFAULT_CACHE = Path("features_cache")


def extract_command(
    entries: Sequence[Entry], *, source_name: str | None = None, skip_bad: bool = False
) -> str:
    """Returns the ``pipeline extract``, or ``cache import``, that brings entries up to date, as it is typed.

    What the command does by itself is left out.

    Args:
        entries: At least one; they differ in their cuts only.
        source_name: What the source calls itself; None = not known.
        skip_bad: Whether images that cannot be read are to be left out.
    """
    first = entries[0]
    imported = first.spec.engine == IMPORTED
    words = [first.source.removeprefix(SCHEME)] if imported else ["--data", first.source]
    for name, value in first.source_options.given.items():
        for one in value if isinstance(value, tuple) else (value,):
            words += [flag(name)] if one is True else [flag(name), str(one)]
    if source_name is None or first.dataset != dataset_name(source_name):
        words += ["--name", first.dataset]
    words += _imported_words(first) if imported else _feature_words(entries)
    if skip_bad:
        words.append("--skip-bad")
    if first.cache != DEFAULT_CACHE:
        words += ["--cache", str(first.cache)]
    return shlex.join(["pipeline", *(("cache", "import") if imported else ("extract",)), *words])


def _imported_words(entry: Entry) -> list[str]:
    spec = entry.spec
    base = [] if spec.backbone == IMPORTED else ["--backbone", spec.backbone]
    return [*base, "--store", spec.store]


def _feature_words(entries: Sequence[Entry]) -> list[str]:
    """Writes what stage one was asked for, without what it takes where nothing is said."""
    first = entries[0]
    spec, default = first.spec, FeatureRequest()
    values = asked_of(spec)
    base = base_of(spec)
    if base.in_file:
        if is_file_address(spec.backbone):  # and no name on the shelf
            values["backbone"] = str(first.weights_file or spec.backbone)
        del values["weights"]
    elif "weights" in values:
        values["weights"] = _weights(first)
    if by_package(values["resize"]):  # which is what `auto` goes on with
        values["resize"] = "auto"
    words = []
    for name, value in values.items():
        # `auto` may measure another precision next time, and an added image move a range that is found
        if value != getattr(default, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    if views := stored_views(first):
        usual = asdict(Augmentation())
        words += ["--views", str(views)]
        for name, value in augmentation_of(spec).items():
            if value != usual.get(name):
                words += ["--augment", setting(name, value)]
    cuts = [str(Cut(entry.spec.layer, entry.spec.pooling)).removesuffix(":none") for entry in entries]
    if base.in_file or cuts != [base.layer]:
        words += [word for cut in cuts for word in ("--layer", cut)]
    return words


def _weights(entry: Entry) -> str:
    if entry.weights_label == "imagenet":
        return "imagenet"
    in_file = entry.spec.weights.startswith("sha256:")
    return str(entry.weights_file or "FILE") if in_file else entry.spec.weights
