"""Ray is an extra: where it is missing, or nobody listens, one line says what to do."""

from __future__ import annotations

import socket
import sys

import pytest

from pipeline.errors import UsageError
from pipeline.extraction import make_executor
from pipeline.runtimes.ray import _knock, ray_connection


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    needed = r"--executor ray needs the package ray: pip install 'two-stage-pipeline\[ray\]'"
    with pytest.raises(UsageError, match=needed), ray_connection("local"):
        pass
    with make_executor("ray").session() as session, pytest.raises(UsageError, match=needed):
        session.call(len, "")


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_is_knocked_at(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        _knock(f"{scheme}127.0.0.1:{port}")
    with pytest.raises(ConnectionError, match="refused"):
        _knock(f"{scheme}127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["auto", "local", "head", "head:", ":80", ""])
def test_what_is_no_host_and_port_is_left_to_ray(address: str) -> None:
    assert _knock(address) is None
