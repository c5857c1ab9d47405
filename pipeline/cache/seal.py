"""The seal of a feature file: what it says of itself, and whether that was altered since it was written."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import h5py

from pipeline.cache.layout import FILLED


def seal(file: h5py.File) -> str:
    """SHA-256 over all that never changes after the layout: attributes, row list, shapes and places."""
    places = {
        name: [list(file[name].shape), file[name].dtype.str, file[name].id.get_offset()]
        for name in sorted(file)
    }
    attributes = {name: value for name, value in plain_attributes(file).items() if name != "seal"}
    whole = hashlib.sha256(json.dumps([attributes, places], sort_keys=True).encode())
    for name in sorted(set(places) - set(FILLED)):
        whole.update(file[name][()].tobytes())
    return whole.hexdigest()


def plain_attributes(file: h5py.File) -> dict[str, Any]:
    """Returns all attributes of a file as plain values."""
    return {name: plain(file.attrs[name]) for name in file.attrs}


def plain(value: Any) -> Any:
    """Returns an attribute's value as text or number."""
    return os.fsdecode(value) if isinstance(value, bytes) else getattr(value, "item", lambda: value)()
