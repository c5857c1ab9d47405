"""The one place that imports Keras, so that its start is quiet and happens only when needed."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

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


def build_application(
    factory: str, image_size: int, *, imagenet: bool, options: Mapping[str, object]
) -> keras.Model:
    """Builds a base of ``keras.applications`` without its top; absent ImageNet filters are downloaded.

    Args:
        factory: Its name there.
        image_size: Height and width in pixels.
        imagenet: Whether it has the ImageNet filters.
        options: Further arguments.
    """
    keras = import_keras()
    # Keras prints its download bar on stdout, and warns that a MobileNet takes the filters of another size.
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`input_shape` is undefined", UserWarning)
        return getattr(keras.applications, factory)(
            weights="imagenet" if imagenet else None,
            include_top=False,
            input_shape=(image_size, image_size, 3),
            **options,
        )


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
