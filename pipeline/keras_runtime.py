"""The one place that imports Keras, so that its start is quiet and happens only when needed."""

from __future__ import annotations

import os
from types import ModuleType


def import_keras() -> ModuleType:
    """Imports Keras with the native start-up log silenced (unless the user set its level)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    return keras
