"""Data sets of the Hugging Face hub: ``hf:NAME[/CONFIG]``, loaded by its library ``datasets``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, UsageError
from pipeline.images.source_options import TABLE_OPTIONS, SourceOptions
from pipeline.images.sources._hub_splits import rows_of_splits
from pipeline.images.sources._left_out import Omissions
from pipeline.images.sources._row_source import RowSource, row_source
from pipeline.images.sources._stores import reason
from pipeline.images.sources._table_text import NONE
from pipeline.images.sources._words import on_one_line
from pipeline.memory import shortage
from pipeline.runtimes.hf_datasets import import_datasets

ADDRESS = "hf:NAME[/CONFIG] (hf:mnist, hf:uoft-cs/cifar10, hf:ylecun/mnist/mnist)"

OPTIONS: tuple[str, ...] = TABLE_OPTIONS

_PREFIX = "hf:"
_NAME_PARTS = 2  # user/name; what follows is the configuration


def claims(uri: str) -> bool:
    """Tells whether the address begins with ``hf:``, and not with ``hf://``, which is a store of files."""
    return uri.startswith(_PREFIX) and not uri.startswith(f"{_PREFIX}//")


def open_uri(uri: str, options: SourceOptions) -> RowSource:
    """Loads a data set into the library's own cache, and lists its rows there.

    No code of the data set is run: versions of the library that would are refused by the extra.

    Raises:
        UsageError: The address has another form, the data set has no column of images or labels, can be
            understood in two ways, or ``datasets`` is missing.
        PipelineError: It cannot be loaded.
    """
    name, config = _name_and_config(uri)
    splits = _load(uri, name, config)
    parts = {split: [file["filename"] for file in rows.cache_files] for split, rows in splits.items()}
    if empty := [split for split, files in parts.items() if not files]:
        raise PipelineError(
            f"{on_one_line(uri)} has no files for its split {empty[0]!r}: call save_to_disk('FOLDER') in "
            "Python, and give --data FOLDER"
        )
    omissions = Omissions()
    files = rows_of_splits(parts, uri, omissions, states_splits=options.split_column != NONE)
    short = os.path.basename(os.path.normpath(name))
    return row_source(
        f"{_PREFIX}{name}{f'/{config}' if config else ''}",
        f"{short}-{config}" if config else short,
        files,
        options,
        folder=Path(os.path.commonpath([os.path.dirname(part) for file in files for part in file.parts])),
        left_out=omissions.left_out(),
    )


def _name_and_config(uri: str) -> tuple[str, str | None]:
    """Returns the name of a data set, or the path of its folder, and its configuration where one is given."""
    rest = uri.removeprefix(_PREFIX).rstrip("/")
    path = os.path.realpath(os.path.expanduser(rest))
    if rest and os.path.isdir(path):
        return path, None
    if rest.startswith(("/", "./", "../", "~")):
        folder, config = os.path.split(path)
        if not os.path.isdir(folder):
            raise UsageError(f"{on_one_line(uri)} does not exist: check the path (looked for {folder})")
        return folder, config
    parts = rest.split("/")
    if not all(parts) or len(parts) > _NAME_PARTS + 1:
        raise UsageError(f"{on_one_line(uri)} is no data set of the hub: write {ADDRESS}")
    return "/".join(parts[:_NAME_PARTS]), parts[_NAME_PARTS] if len(parts) > _NAME_PARTS else None


def _load(uri: str, name: str, config: str | None) -> dict[str, Any]:
    datasets = import_datasets(on_one_line(uri))
    try:
        return dict(datasets.load_dataset(name, config))
    except Exception as error:  # the library raises errors of its own and of all that it is built on
        if shortage(error):
            raise
        raise PipelineError(
            f"{on_one_line(uri)} cannot be loaded: {reason(error)}; check the name at "
            "https://huggingface.co/datasets and the network (HF_TOKEN for a private one), or call "
            "save_to_disk('FOLDER') where it can be reached, and give --data FOLDER"
        ) from error
