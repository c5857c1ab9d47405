"""Finding a base: by its name in the table or on the shelf, by its file, or by the features that it made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.backbones import table
from pipeline.backbones.file_base import FileBase
from pipeline.backbones.graph import SUFFIXES
from pipeline.backbones.imported import refuse_imported
from pipeline.backbones.keras_base import KerasBase
from pipeline.backbones.shelf import shelved, take
from pipeline.errors import UsageError, unknown
from pipeline.paths import with_home
from pipeline.spec import FeatureSpec

if TYPE_CHECKING:
    from pipeline.backbones.base import Base


def find_base(choice: str) -> Base:
    """Returns the base that ``--backbone`` names.

    Args:
        choice: A row of the table, the path of an ``.onnx`` or ``.tflite`` file, or a name on the shelf.

    Raises:
        UsageError: There is none of this name, or the file cannot be used.
    """
    if choice in table.BACKBONES:
        return KerasBase(choice)
    if is_file_address(choice):
        path = Path(with_home(choice))
        if not path.exists():
            raise UsageError(f"backbone {choice!r} does not exist: give the path of an .onnx or .tflite file")
        return FileBase.of_file(path, address=choice)
    if (own := take(choice)) is not None:
        return own
    raise unknown(
        "backbone",
        choice,
        [*table.BACKBONES, *shelved()],
        next_step="Or give the path of an .onnx or .tflite file (docs/backbones.md)",
    )


def is_file_address(choice: str) -> bool:
    """Tells whether a choice means a file, and no row of the table, whether there is one or not."""
    separators = {os.sep, os.altsep or os.sep}
    return choice not in table.BACKBONES and (
        choice.lower().endswith(SUFFIXES) or bool(separators & set(choice))
    )


def base_of(spec: FeatureSpec) -> Base:
    """Returns the base that made features; of one in a file the file need not be there.

    Raises:
        UsageError: It is not known here, as is what made features that were imported.
    """
    refuse_imported(spec)
    if spec.backbone not in table.BACKBONES:
        try:
            return FileBase.of_spec(spec)
        except ValueError:
            pass
    return find_base(spec.backbone)
