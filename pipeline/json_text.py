"""Values as JSON that every reader understands: no NaN, and no numbers of NumPy's own types."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Returns JSON on ASCII; numbers that are not finite become null.

    Raises:
        TypeError: A value is none that JSON knows.
    """
    return json.dumps(plain(value), allow_nan=False, indent=indent)


def plain(value: Any) -> Any:
    """Returns a value in types that JSON knows; numbers that are not finite become None."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
