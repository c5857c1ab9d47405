"""The one place that imports Keras, so that its start is quiet and happens only when needed."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
TALKATIVE, SILENT = ("0", "1"), "3"


def import_keras() -> ModuleType:
    """Imports Keras without the native library's start-up messages.

    They are shown when the import fails, or where the user asks for them with ``TF_CPP_MIN_LOG_LEVEL`` 0 or
    1; 2 and 3 ask for silence.
    """
    if "keras" not in sys.modules and os.environ.setdefault(LOG_LEVEL, SILENT) not in TALKATIVE:
        with native_stderr_held_back():
            import keras
    import keras

    return keras


@contextlib.contextmanager
def native_stderr_held_back() -> Iterator[None]:
    """Catches what native code writes to file descriptor 2: it does not pass through ``sys.stderr``."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
