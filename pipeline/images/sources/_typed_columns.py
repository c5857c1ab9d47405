"""Columns that have types, as Parquet and Arrow keep them: which hold images, and the text of each value."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import UsageError
from pipeline.images.source_options import SourceOptions, flag
from pipeline.images.sources._table_text import PATH, ColumnTypes, could_mean
from pipeline.images.sources._words import on_one_line, some
from pipeline.images.targets import CLASS
from pipeline.plain_json import parse_json
from pipeline.runtimes.arrow import import_arrow

if TYPE_CHECKING:
    import pyarrow as pa

FEATURES = b"huggingface"
"""Key in the metadata of a schema under which Hugging Face says what the columns are."""

_BYTES = "bytes"
_EXACT = 2**53  # from here on floats leave out whole numbers
_IMAGE, _CLASSES = "Image", "ClassLabel"

Text = Callable[[object], str]
"""Returns the text of a value, or raises a ValueError."""


class Features(NamedTuple):
    """What Hugging Face says of the columns of a table.

    Attributes:
        images: Names of those that hold images.
        classes: The names of the classes by that of the column that holds their numbers, from 0 on.
    """

    images: frozenset[str] = frozenset()
    classes: Mapping[str, Sequence[str]] = {}


class ImageColumn(NamedTuple):
    """The column that holds the images of a table, or says where they are.

    Attributes:
        name: Its name.
        at: Its position.
        parts: The parts that it has: ``bytes``, the encoded image; ``path``; neither where it is text.
    """

    name: str
    at: int
    parts: frozenset[str]

    @property
    def leaf(self) -> str:
        """Name under which Parquet keeps the encoded images."""
        return f"{self.name}.{_BYTES}" if PATH in self.parts else self.name

    @property
    def path_leaf(self) -> str:
        """Name under which Parquet keeps the paths."""
        return f"{self.name}.{PATH}" if self.parts else self.name


def read_features(schema: pa.Schema, subject: str) -> Features:
    """Returns what Hugging Face has written of the columns, nothing where it has not.

    Raises:
        UsageError: It is no valid JSON, or of another form.
    """
    written = (schema.metadata or {}).get(FEATURES)
    if written is None:
        return Features()
    try:
        described = parse_json(written.decode())
        features = described["info"]["features"]
        images = frozenset(name for name, one in features.items() if _kind(one) == _IMAGE)
        classes = {name: list(one["names"]) for name, one in features.items() if _kind(one) == _CLASSES}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{subject}: what its metadata says under {FEATURES.decode()!r} cannot be read ({error!r}); "
            "write the table anew, with pyarrow's schema.remove_metadata() if need be"
        ) from error
    for name, names in classes.items():
        _check_names(f"{subject}: column {on_one_line(name)!r}", names)
    return Features(images, classes)


def understand_types(schema: pa.Schema, features: Features, options: SourceOptions) -> ColumnTypes:
    """Tells which columns hold images, and which one is the image or the label where types leave no doubt.

    Args:
        schema: The columns.
        features: What Hugging Face says of them.
        options: The columns that the user names.

    Raises:
        ValueError: Several columns could be the image, or the label; the message says how to choose.
    """
    held = [at for at, field in enumerate(schema) if parts_of(field.type)]
    told = []
    if held and not options.path_column:
        images = [at for at in held if schema.names[at] in features.images] or held
        told.append((PATH, _only(images, schema.names, "hold images", "path_column")))
    classes = [at for at, name in enumerate(schema.names) if name in features.classes]
    if classes and not options.label_column and not any(could_mean("label", name) for name in schema.names):
        told.append(("label", _only(classes, schema.names, "hold classes", "label_column")))
    return ColumnTypes(tuple(told), frozenset(held))


def image_column(schema: pa.Schema, at: int) -> ImageColumn:
    """Returns the column of the images.

    Raises:
        ValueError: Its type is none of an image or a path.
    """
    field = schema.field(at)
    parts = parts_of(field.type)
    if not parts and not _is_text(field.type):
        raise ValueError(
            f"column {on_one_line(field.name)!r} is {field.type}: expected encoded images (binary), the "
            "struct {bytes, path}, or paths as text"
        )
    return ImageColumn(field.name, at, parts)


def parts_of(kind: pa.DataType) -> frozenset[str]:
    """Returns what a type holds of images: ``bytes``, or ``bytes`` and ``path``; nothing for others."""
    types = import_arrow("this table").types
    if types.is_binary(kind) or types.is_large_binary(kind):
        return frozenset((_BYTES,))
    if types.is_struct(kind):
        inner = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
        if inner.keys() == {_BYTES, PATH} and parts_of(inner[_BYTES]) == {_BYTES} and _is_text(inner[PATH]):
            return frozenset((_BYTES, PATH))
    return frozenset()


def text_of(schema: pa.Schema, at: int, features: Features, *, target: str = CLASS) -> Text | None:
    """Returns what makes texts of the values of a column, None where its type is none of text or number.

    Args:
        schema: The columns.
        at: Position of the column.
        features: What Hugging Face says of them.
        target: What its values stand for, see ``images/targets.py``: numbers have fractions, and no names.
    """
    field = schema.field(at)
    types = import_arrow("this table").types
    kind = field.type.value_type if types.is_dictionary(field.type) else field.type
    if target == CLASS and field.name in features.classes and types.is_integer(kind):
        return partial(_name_of_class, list(features.classes[field.name]))
    plain = (types.is_integer, types.is_floating, types.is_boolean, types.is_null)
    if not _is_text(kind) and not any(test(kind) for test in plain):
        return None
    return _plain_text if target == CLASS else _number_text


def _is_text(kind: pa.DataType) -> bool:
    types = import_arrow("this table").types
    if types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _plain_text(value: object) -> str:
    """Returns a value as a table of text would have it: nothing for null, ``3`` for 3.0."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if not value.is_integer() or abs(value) >= _EXACT:
            raise ValueError(f"expected text or a whole number, not {reprlib.repr(value)}")
        return str(int(value))
    return str(value)


def _number_text(value: object) -> str:
    """Returns a number as a table of text would have it, with all of its digits."""
    return repr(value) if isinstance(value, float) else _plain_text(value)


def _name_of_class(names: Sequence[str], value: object) -> str:
    """Returns the name of a class; -1 and null mean that there is none."""
    if value is None or value == -1:
        return ""
    if not isinstance(value, int) or not 0 <= value < len(names):
        raise ValueError(f"{reprlib.repr(value)} is no position in the {len(names)} names of classes")
    return names[value]


def _only(found: Sequence[int], names: Sequence[str], what: str, option: str) -> int:
    if len(found) == 1:
        return found[0]
    columns = [names[at] for at in found]
    raise ValueError(
        f"{len(found)} columns {what}, {some(columns, 8)}: say which with {flag(option)} "
        f"{on_one_line(columns[0])}"
    )


def _kind(feature: object) -> object:
    return feature.get("_type") if isinstance(feature, dict) else None


def _check_names(subject: str, names: Sequence[object]) -> None:
    texts = [name.strip() for name in names if isinstance(name, str)]
    if len(texts) < len(names) or "" in texts or len(set(texts)) < len(texts):
        raise UsageError(f"{subject} names its classes {reprlib.repr(names)}: expected different texts")
