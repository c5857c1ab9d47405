"""The one place that imports Ray: only when needed, quietly, and without its usage reports."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from types import ModuleType

from pipeline.errors import UsageError, reason_of

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # would be sent to its maker
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a worker that was given no GPU sees none
}
LOCAL = "local"
REACH_TIMEOUT_S = 10.0


def import_ray() -> ModuleType:
    """Imports Ray.

    Raises:
        UsageError: It is not installed.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--executor ray needs the package {error.name}: pip install 'two-stage-pipeline[ray]'"
        ) from error


@contextmanager
def ray_connection(address: str | None) -> Iterator[ModuleType]:
    """Connects to a Ray cluster; where this process is connected already, that connection is used.

    Args:
        address: ``auto`` (the cluster that ``RAY_ADDRESS`` names or that runs on this machine), ``local``
            (start one here and stop it afterwards), ``host:port`` or ``ray://host:port``. None = ``auto``
            where there is one, otherwise ``local``.

    Yields:
        The module ``ray``, connected.

    Raises:
        UsageError: Ray is not installed, or there is no such cluster.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, object] = {
        "logging_level": logging.ERROR,
        "log_to_driver": False,
    }  # workers' stdout must not become ours
    try:
        with _own_signals():
            if address is None:
                _connect_or_start(ray, quiet)
            elif address == LOCAL:
                ray.init(address=LOCAL, include_dashboard=False, **quiet)
            else:
                _knock(address)
                ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, ImportError, RuntimeError, TimeoutError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"no Ray cluster at --address {address or 'auto'} ({reason}): check it with `ray status`, start "
            "one with `ray start --head`, or give --address local. Where it asks for a token, set "
            "RAY_AUTH_MODE=token"
        ) from error
    try:
        with redirect_stdout(sys.stderr):  # where Ray's thread would print what befalls its workers
            yield ray
    finally:
        ray.shutdown()


def main_reason(error: BaseException) -> str:
    """Returns the sentence of an error that says most: Ray's last line names the cause."""
    return _sentence(error, -1)


def first_sentence(error: BaseException) -> str:
    """Returns the sentence of an error that says most where advice follows it, as of a lack of memory."""
    return _sentence(error, 0)


def _sentence(error: BaseException, line: int) -> str:
    lines = [text.strip() for text in str(error).splitlines() if text.strip()]
    return lines[line].split(". ")[0].rstrip(".") if lines else type(error).__name__


def _connect_or_start(ray: ModuleType, quiet: dict[str, object]) -> None:
    try:
        ray.init(address="auto", **quiet)
    except ConnectionError:
        if "RAY_ADDRESS" in os.environ:
            raise
        ray.init(address=LOCAL, include_dashboard=False, **quiet)


def _knock(address: str) -> None:
    """Makes sure that somebody listens at ``host:port``: Ray itself waits for minutes before it gives up.

    Raises:
        ConnectionError: Nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_TIMEOUT_S).close()
        except OSError as error:
            raise ConnectionError(reason_of(error)) from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keeps this program's answer to SIGTERM, which Ray replaces by its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, kept)
