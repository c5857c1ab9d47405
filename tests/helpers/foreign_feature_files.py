"""Feature files as somebody else might make them: whole at first sight, sealed, and up to no good.

``python foreign_feature_files.py FOLDER`` opens every file of a folder and prints what came of each, and the
memory that it took.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from peak_memory import peak_kib

from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.format import seal
from pipeline.errors import PipelineError

HUGE = 1 << 40
Alter = Callable[[h5py.File, Path], None]


def _replace(name: str, make: Callable[[h5py.File, Path], None]) -> Alter:
    def alter(file: h5py.File, elsewhere: Path) -> None:
        del file[name]
        make(file, elsewhere)

    return alter


def _external_storage(file: h5py.File, elsewhere: Path) -> None:
    file.create_dataset("features", (2, 2, 3), "<f4", external=[(str(elsewhere), 0, h5py.h5f.UNLIMITED)])


def _virtual(file: h5py.File, elsewhere: Path, *, growing: bool = False) -> None:
    longest = (None, 2, 3) if growing else (2, 2, 3)
    layout = h5py.VirtualLayout((2, 2, 3), "<f4", maxshape=longest)
    source = h5py.VirtualSource(str(elsewhere), "features", (2, 2, 3), maxshape=longest)
    rows = slice(0, h5py.h5s.UNLIMITED if growing else 2)
    layout[rows] = source[rows]
    file.create_virtual_dataset("features", layout)


def _promised(name: str, shape: tuple[int, ...], dtype: str) -> Alter:
    """Declares more than the file holds; the space is given when something is written, which nothing is."""
    return _replace(name, lambda file, _: file.create_dataset(name, shape, dtype))


def _compressed(file: h5py.File, _: Path) -> None:
    """Holds 4 GB of zeros in a few hundred kilobytes."""
    file.create_dataset("digests", (1 << 27, 32), "|u1", chunks=(1 << 22, 32), compression="gzip")
    file["digests"][: 1 << 22] = 0


def _texts_of_any_length(file: h5py.File, _: Path) -> None:
    file.create_dataset("ids", data=np.array(["a", "b"], object), dtype=h5py.string_dtype())


def _same_text_often(file: h5py.File, _: Path) -> None:
    file.attrs.create("more", ["x" * 60_000] * 60, dtype=h5py.string_dtype())


def _many_attributes(file: h5py.File, _: Path) -> None:
    for i in range(150):
        file.attrs[f"more{i}"] = i


def _changed(name: str, value: object) -> Alter:
    return lambda file, _: file[name].__setitem__(..., value)


def _said(name: str, value: str) -> Alter:
    return lambda file, _: file.attrs.__setitem__(name, np.bytes_(value))


def _part(**values: object) -> Alter:
    return lambda file, _: file.attrs.update(values)


ALTERATIONS: dict[str, tuple[str, Alter]] = {
    "external link": (
        "is a link to another place",
        _replace("features", lambda file, path: file.__setitem__("features", h5py.ExternalLink(path, "x"))),
    ),
    "soft link": (
        "is a link to another place",
        _replace("labels", lambda file, _: file.__setitem__("labels", h5py.SoftLink("/crc32"))),
    ),
    "second name": (
        "is a second name",
        _replace("crc32", lambda file, _: file.__setitem__("crc32", file["labels"])),
    ),
    "named type": (
        "neither a group nor a dataset",
        _replace("labels", lambda file, _: file.__setitem__("labels", np.dtype("i4"))),
    ),
    "a group for a column": (
        "labels is not the column",
        _replace("labels", lambda file, _: file.create_group("labels")),
    ),
    "external storage": ("stand in other files", _replace("features", _external_storage)),
    "virtual dataset": ("stand in other files", _replace("features", _virtual)),
    "growing virtual dataset": (
        "stand in other files",
        _replace("features", lambda file, path: _virtual(file, path, growing=True)),
    ),
    "huge features": ("truncated: it promises", _promised("features", (HUGE, 4, 4, 512), "<f4")),
    "huge labels": ("truncated: it promises", _promised("labels", (HUGE,), "<i4")),
    "huge ids": ("truncated: it promises", _promised("ids", (1 << 20,), "S1048576")),
    "an overflowing size": ("truncated: it promises", _promised("features", (1 << 62, 4), "<f4")),
    "a compressed bomb": ("compressed or in chunks", _replace("digests", _compressed)),
    "chunks": (
        "compressed or in chunks",
        _replace("labels", lambda file, _: file.create_dataset("labels", data=[0, 1], chunks=(1,))),
    ),
    "texts of any length": ("neither numbers nor text of fixed", _replace("ids", _texts_of_any_length)),
    "object references": (
        "neither numbers nor text of fixed",
        _replace("labels", lambda file, _: file.create_dataset("labels", (2,), h5py.ref_dtype)),
    ),
    "compound labels": (
        "neither numbers nor text of fixed",
        _replace("labels", lambda file, _: file.create_dataset("labels", (2,), "i4,i4")),
    ),
    "complex features": (
        "neither numbers nor text of fixed",
        _replace("features", lambda file, _: file.create_dataset("features", data=np.ones((2, 2), "c8"))),
    ),
    "big-endian features": (
        "features is not the column",
        _replace("features", lambda file, _: file.create_dataset("features", data=np.ones((2, 6), ">f4"))),
    ),
    "double features": (
        "features is not the column",
        _replace("features", lambda file, _: file.create_dataset("features", data=np.ones((2, 6)))),
    ),
    "the same text often": ("promises inf bytes", _same_text_often),
    "many attributes": ("has 160 attributes", _many_attributes),
    "another attribute": ("an unknown attribute 'more'", lambda file, _: file.attrs.__setitem__("more", 1)),
    "another dataset": ("an unknown dataset 'more'", lambda file, _: file.create_dataset("more", data=[1])),
    "a label without class": ("a label stands for no class", _changed("labels", 7)),
    "a label below -1": ("a label stands for no class", _changed("labels", -2)),
    "a data set that is a way out": ("no names of data set and split", _said("dataset", "../../out")),
    "a data set that is a place": ("no names of data set and split", _said("dataset", "/etc")),
    "a split that is a way out": ("no names of data set and split", _said("split", "../train")),
    "a file of no number": ("no attribute 'part'", _part(parts=2, whole="x")),
    "a file beyond the last": ("no names of data set and split", _part(part=2, parts=2, whole="x")),
    "a file before the first": ("no names of data set and split", _part(part=-1, parts=2, whole="x")),
    "a number that is none": ("no readable feature file", _part(part="one", parts=2, whole="x")),
    "many numbers": ("no readable feature file", _part(part=[0, 1], parts=2, whole="x")),
    "a deep spec": ("nested too deeply", _said("spec", "[" * 50_000)),
    "a spec of lists": ("not a feature spec", _said("spec", "[]")),
    "software that is no JSON": ("no readable feature file", _said("software", "{")),
}
"""What is altered, and what the refusal says."""


def alter(path: Path, name: str, elsewhere: Path) -> str:
    """Alters a feature file of two rows, seals it as well as can be, and returns what is to be said of it."""
    message, change = ALTERATIONS[name]
    with h5py.File(path, "r+") as file:
        change(file, elsewhere)
        del file.attrs["seal"]
        if "promises" not in message and "other" not in message and "bomb" not in name:
            try:
                file.attrs["seal"] = np.bytes_(seal(file))
            except (KeyError, TypeError, ValueError, AttributeError, OSError):
                file.attrs["seal"] = np.bytes_("0" * 64)
        else:
            file.attrs["seal"] = np.bytes_("0" * 64)
    return message


def main(folder: Path) -> None:
    """Opens the sound file first, then all others, and prints a line for each."""
    open_feature_file(folder / "sound.h5")
    before = peak_kib()
    for path in sorted(folder.glob("*.h5")):
        try:
            open_feature_file(path)
            print(path.stem, "opened", sep="\t")
        except PipelineError as error:
            print(path.stem, error, sep="\t")
    print("KiB", peak_kib() - before, sep="\t")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
