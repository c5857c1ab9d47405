"""A data set of Hugging Face that ``save_to_disk`` has written, read without its library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError, reason_of
from pipeline.images.source_options import TABLE_OPTIONS, SourceOptions
from pipeline.images.sources._hub_splits import rows_of_splits
from pipeline.images.sources._left_out import Omissions
from pipeline.images.sources._packed_folders import is_saved_dataset
from pipeline.images.sources._row_source import RowSource, row_source
from pipeline.images.sources._table_text import NONE
from pipeline.images.sources._words import on_one_line, printable
from pipeline.paths import is_folder_name
from pipeline.plain_json import parse_json
from pipeline.runtimes.arrow import import_arrow

ADDRESS = "a folder of Hugging Face's save_to_disk"

OPTIONS: tuple[str, ...] = TABLE_OPTIONS

_WHOLE = "rows"  # how rows are called that are no split


def claims(uri: str) -> bool:
    """Tells whether the address is a folder with the files that ``save_to_disk`` leaves."""
    return is_saved_dataset(uri)


def open_uri(uri: str, options: SourceOptions) -> RowSource:
    """Lists the rows of a saved data set; the images in them are not read.

    Raises:
        UsageError: It is damaged, has no column of images or labels, can be understood in two ways, or
            pyarrow is missing.
    """
    import_arrow(on_one_line(uri))
    root = os.path.realpath(os.path.expanduser(uri))
    names = _read(root, "dataset_dict.json", "splits") if _has(root, "dataset_dict.json") else None
    if names is None:
        parts = {_WHOLE: _parts(root)}
    else:
        _check(names, root, "dataset_dict.json")
        parts = {name: _parts(os.path.join(root, name)) for name in names}
    omissions = Omissions()
    files = rows_of_splits(parts, root, omissions, states_splits=options.split_column != NONE)
    return row_source(
        root, os.path.basename(root), files, options, folder=Path(root), left_out=omissions.left_out()
    )


def _parts(folder: str) -> list[str]:
    """Returns the paths of the Arrow files of a split, in the order of its rows."""
    state = _read(folder, "state.json")
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise UsageError(
            f"{on_one_line(folder)} keeps some of its rows by their places only, as old versions of datasets "
            "did: load it, call flatten_indices(), and save it again"
        )
    files = state.get("_data_files")
    listed = files if isinstance(files, list) else []
    names = [one.get("filename") if isinstance(one, dict) else None for one in listed]
    _check(names, folder, "state.json")
    return [os.path.join(folder, str(name)) for name in names]


def _read(folder: str, name: str, key: str = "") -> Any:
    """Reads a JSON object, or the value of a key in it."""
    path = os.path.join(folder, name)
    try:
        found = parse_json(Path(path).read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("not a JSON object")
        return found.get(key) if key else found
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{on_one_line(path)} cannot be read ({reason_of(error)}): save the data set again"
        ) from error


def _has(folder: str, name: str) -> bool:
    return os.path.isfile(os.path.join(folder, name))


def _check(names: object, folder: str, file: str) -> None:
    """Refuses names that are none of files beside the one that lists them."""
    named = isinstance(names, list) and all(isinstance(name, str) and is_folder_name(name) for name in names)
    if not named or not names:
        raise UsageError(
            f"{printable(on_one_line(os.path.join(folder, file)))} does not name the files of the data set: "
            "save it again"
        )
