"""Reading saved steps into their counterparts: neither scikit-learn nor skops is imported for an answer.

A file of skops is an archive of arrays and a schema that says what they are attributes of. Of each estimator
only the attributes that its counterpart is made of are read.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.heads._sklearn.counterparts import COUNTERPARTS, attributes_of, full_name
from pipeline.heads._sklearn.skops import PLAIN_TYPES, checked
from pipeline.plain_json import parse_json


def read_steps(path: Path, types: frozenset[str]) -> Any:
    """Reads a file whose estimators all have counterparts, after checking that it names no foreign type.

    Args:
        path: The file; it can come from anywhere.
        types: Full names of the types that it may hold besides the plain ones.

    Returns:
        What was saved, counterparts in the place of estimators.

    Raises:
        ValueError: It holds another type, lacks an attribute, or is no such file.
    """
    trusted = PLAIN_TYPES | types
    # Steps that were read and saved again stand there under the names of the counterparts themselves.
    kinds = {name: COUNTERPARTS[name] for name in trusted & COUNTERPARTS.keys()}
    kinds |= {full_name(kind): kind for kind in kinds.values()}
    with checked(path, trusted | kinds.keys()) as (archive, schema):
        return _value(parse_json(schema, nan=True), kinds, archive)


def _value(node: dict[str, Any], kinds: dict[str, type], archive: zipfile.ZipFile) -> Any:
    name, loader = f"{node['__module__']}.{node['__class__']}", node["__loader__"]
    if loader == "JsonNode":
        return parse_json(node["content"], nan=True)
    if loader == "NdArrayNode" and node["type"] == "numpy":
        return np.load(io.BytesIO(archive.read(node["file"])), allow_pickle=False)[()]
    if loader in ("ListNode", "TupleNode"):
        items = [_value(one, kinds, archive) for one in node["content"]]
        return items if loader == "ListNode" else tuple(items)
    if loader == "DictNode":
        return {key: _value(one, kinds, archive) for key, one in node["content"].items()}
    if loader == "ObjectNode" and name in kinds:
        return _object(node["content"], kinds[name], kinds, archive)
    raise ValueError(f"it holds {name}, which no answer is made of")


def _object(state: dict[str, Any], kind: type, kinds: dict[str, type], archive: zipfile.ZipFile) -> Any:
    """Makes a counterpart of the saved attributes of an estimator."""
    saved = state["content"]
    missing = [name for name in attributes_of(kind) if name not in saved]
    if missing:
        raise ValueError(f"its {kind.__name__} lacks {missing[0]}")
    return kind(**{name: _value(saved[name], kinds, archive) for name in attributes_of(kind)})
