"""A server as a process of its own, on pixels: it starts in seconds and loads no TensorFlow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from photos import Photos

CLASSES = ("<img src=x onerror=alert(1)>", "dogs\N{RIGHT-TO-LEFT OVERRIDE}\N{DOG FACE}'\"&amp;")
MEDIA_TYPE = "application/octet-stream"


@dataclass
class Server:
    """A running ``pipeline serve``.

    Attributes:
        process: Its process.
        url: Address of the page.
        photos: The photographs that its head was trained on.
        scratch: The folder that it would put temporary files into.
    """

    process: subprocess.Popen[str]
    url: str
    photos: Photos
    scratch: Path

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Sends one request; a body is posted as an upload. Returns status, headers and body."""
        connection = self.connect()
        if body is not None:
            headers = {"Content-Type": MEDIA_TYPE} | {
                name.replace("_", "-"): value for name, value in headers.items()
            }
        connection.request("GET" if body is None else "POST", path, body, headers)
        response = connection.getresponse()
        answer = response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        connection.close()
        return answer


def run_pipeline(command: str, *arguments: object, folder: Path) -> None:
    words = [sys.executable, "-m", "pipeline", command, *map(str, arguments)]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    photos, scratch = Photos(folder / "photos"), folder / "tmp"
    scratch.mkdir()
    for name in CLASSES:
        photos.add(f"train/{name}", 5)
        photos.add(f"test/{name}", 2)
    stage = ["--data", photos.root]
    run_pipeline("extract", *stage, "--backbone", "pixels", "--image-size", 8, folder=folder)
    run_pipeline("train-head", *stage, folder=folder)
    words = [sys.executable, "-m", "pipeline", "serve", *map(str, stage), "--port", "0", "--json"]
    process = subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(scratch)}
    )
    try:
        yield Server(process, json.loads(process.stdout.readline())["url"], photos, scratch)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
