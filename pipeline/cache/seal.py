"""The seal of a feature file: what it says of itself, and whether that was altered since it was written."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import h5py

from pipeline.cache.layout import FILLED
from pipeline.plain_json import parse_json

SEAL, SEALS = "seal", "seals"
_HEX = 16
"""Hex digits of each of the ``seals``: enough that no accident passes."""


def seal(file: h5py.File, instead: Mapping[str, Any] | None = None) -> str:
    """SHA-256 over all that never changes after the layout: attributes, row list, shapes and places.

    Args:
        file: The file.
        instead: Attributes to be taken for those in the file.
    """
    datasets = {name: file[name] for name in sorted(file)}  # opened once: HDF5 takes long over it
    places = {
        name: [list(dataset.shape), dataset.dtype.str, dataset.id.get_offset()]
        for name, dataset in datasets.items()
    }
    attributes = plain_attributes(file) | dict(instead or {})
    attributes.pop(SEAL, None)
    whole = hashlib.sha256(json.dumps([attributes, places], sort_keys=True).encode())
    for name in sorted(set(places) - set(FILLED)):
        whole.update(datasets[name][()].tobytes())
    return whole.hexdigest()


def seals(file: h5py.File) -> dict[str, str]:
    """A short SHA-256 of each column written at the layout, and of each attribute but the seals themselves.

    Where the seal does not fit, they tell what was altered, and prove all else.
    """
    columns = {name: file[name][()].tobytes() for name in file if name not in FILLED}
    attributes = {
        f"@{name}": json.dumps(value).encode()
        for name, value in plain_attributes(file).items()
        if name not in (SEAL, SEALS)
    }
    values = columns | attributes
    return {name: hashlib.sha256(value).hexdigest()[:_HEX] for name, value in values.items()}


def altered(file: h5py.File) -> set[str] | None:
    """Names the columns and attributes that do not fit their seals; None where the file has none.

    Files of earlier versions have none. An attribute's name begins with ``@``. Seals of what is not there are
    themselves altered.
    """
    try:
        stated = parse_json(plain(file.attrs[SEALS]))
        stated = {str(name): str(value) for name, value in stated.items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    found = seals(file)
    differing = {name for name in found if stated.get(name) != found[name]}
    return differing if stated.keys() == found.keys() else differing | {f"@{SEALS}"}


def plain_attributes(file: h5py.File) -> dict[str, Any]:
    """Returns all attributes of a file as plain values."""
    attributes = file.attrs
    return {name: plain(attributes[name]) for name in attributes}


def plain(value: Any) -> Any:
    """Returns an attribute's value as text or number."""
    return os.fsdecode(value) if isinstance(value, bytes) else getattr(value, "item", lambda: value)()
