"""Parquet tables: images as bytes or paths in a column, in one file or in shards as Hugging Face has them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.images.source_options import TABLE_OPTIONS, SourceOptions
from pipeline.images.sources._left_out import HIDDEN_FOLDERS, Omissions
from pipeline.images.sources._packed_folders import PARQUET, is_parquet_folder
from pipeline.images.sources._parquet_file import ParquetFile
from pipeline.images.sources._row_source import RowSource, row_source
from pipeline.images.sources._shards import Shards, data_name, split_of_shard
from pipeline.images.sources._storage import LocalStorage, StoredFile
from pipeline.images.sources._stores import protocol_of
from pipeline.images.sources._words import in_natural_order, on_one_line, some, split_of
from pipeline.runtimes.arrow import import_arrow

ADDRESS = "Parquet (photos.parquet, 'data/train-*.parquet', or a folder of them)"

OPTIONS: tuple[str, ...] = TABLE_OPTIONS

_NOT_PARQUET = "files that are no Parquet"


def claims(uri: str) -> bool:
    """Tells whether the address ends as one of Parquet files does, or is a folder of them."""
    if protocol_of(uri):
        return False
    folder = os.path.isdir(os.path.expanduser(uri))
    return is_parquet_folder(uri) if folder else uri.rstrip("}").lower().endswith(PARQUET)


def open_uri(uri: str, options: SourceOptions) -> RowSource:
    """Lists the rows of Parquet files; the images in them are not read.

    The name of a shard states its split; that of a file which is given alone does not.

    Raises:
        UsageError: A file is missing or damaged, has no column of images or labels, can be understood in two
            ways, or pyarrow is missing.
    """
    import_arrow(on_one_line(uri))
    omissions = Omissions()
    if os.path.isdir(os.path.expanduser(uri)):
        root = os.path.realpath(os.path.expanduser(uri))
        address, name = root, os.path.basename(root)
        root, found = _below(root, omissions)
    else:
        place = Shards.at(uri)
        found = place.find()
        address, root = place.address, place.storage.root
        suffix = next((one for one in PARQUET if address.lower().endswith(one)), "")
        name = data_name(root, place.rest.removesuffix(suffix))
    alone = len(found) == 1
    files = [
        ParquetFile(file.name, file.path, None if alone else split_of_shard(file.name), file.version)
        for file in found
    ]
    return row_source(address, name, files, options, folder=Path(root), left_out=omissions.left_out())


def _below(root: str, omissions: Omissions) -> tuple[str, list[StoredFile]]:
    """Finds the Parquet files of the one table below a folder, and takes notice of what else is there.

    Returns:
        The folder that all of them are in, and the files by their names below it.

    Raises:
        UsageError: They stand in folders that are no splits of one table.
    """
    storage = LocalStorage(root)
    found: dict[str, StoredFile] = {}
    for folder, folders, names in os.walk(root):
        where = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if where == "." else f"{where}/"
        hidden = [name for name in folders if name.startswith(".")]
        omissions.add(HIDDEN_FOLDERS, prefix, hidden)
        folders[:] = [name for name in folders if name not in hidden]
        wanted = [name for name in names if name.lower().endswith(PARQUET)]
        omissions.add(_NOT_PARQUET, prefix, [name for name in names if name not in wanted])
        found |= {prefix + name: file for name in wanted if (file := storage.look(prefix + name))}
    tables = {_table_of(name) for name in found}
    if len(tables) > 1:
        listed = some([name or "the folder itself" for name in in_natural_order(tables)])
        raise UsageError(
            f"{on_one_line(root)} holds several tables, in {listed}: give one of these folders, or name the "
            "files with a pattern ('data/*.parquet')"
        )
    inner = f"{tables.pop()}/"
    if not all(name.startswith(inner) for name in found):
        return root, [found[name] for name in in_natural_order(found)]
    return os.path.join(root, inner[:-1]), [
        replace(found[name], name=name.removeprefix(inner)) for name in in_natural_order(found)
    ]


def _table_of(name: str) -> str:
    """Returns the folder of the table that a file belongs to: its own, without folders of splits."""
    parts = name.split("/")[:-1]
    return "/".join(part for part in parts if not split_of(part))
