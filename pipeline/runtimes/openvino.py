"""The one place that imports OpenVINO and NNCF: only when needed, and without their usage reports."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import sys
from collections.abc import Iterator
from types import ModuleType

from pipeline.errors import UsageError


def openvino_installed() -> bool:
    """Tells whether the package is there, without importing it."""
    return importlib.util.find_spec("openvino") is not None


def import_openvino() -> ModuleType:
    """Imports OpenVINO.

    Raises:
        UsageError: It is not installed, or its libraries cannot be loaded.
    """
    return _import("openvino", "pip install openvino, or choose --engine keras")


def import_nncf() -> ModuleType:
    """Imports NNCF, which quantises OpenVINO's models, and makes it speak of errors only.

    Raises:
        UsageError: It is not installed.
    """
    nncf = _import("nncf", "pip install 'two-stage-pipeline[int8]'")
    nncf.set_log_level(logging.ERROR)
    return nncf


def reason_in(error: Exception) -> str:
    """Returns the first line of an error of OpenVINO that says more than where in OpenVINO it is from."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(("Exception from", "Check '"))]
    return said[0].rstrip(":") if said else "no reason given"


def _import(name: str, remedy: str) -> ModuleType:
    try:
        with _nothing_reported():
            return importlib.import_module(name)
    except (ImportError, OSError) as error:  # not there, or a shared library of it is broken
        reason = "" if isinstance(error, ModuleNotFoundError) else f", which cannot be loaded ({error})"
        raise UsageError(f"engine 'openvino' needs the package {name}{reason}: {remedy}") from error


@contextlib.contextmanager
def _nothing_reported() -> Iterator[None]:
    """Hides the package through which both would report every conversion to their maker."""
    reporter = "openvino_telemetry"
    hidden = reporter not in sys.modules
    if hidden:
        sys.modules[reporter] = None  # type: ignore[assignment]  # Python's own mark for "cannot be imported"
    try:
        yield
    finally:
        if hidden:
            del sys.modules[reporter]
