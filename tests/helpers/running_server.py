"""A running ``pipeline serve``, and how tests talk to it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

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


def form_of(*parts: tuple[str | None, bytes], boundary: str = "between") -> bytes:
    """Makes the body of a form.

    Args:
        parts: Name of a file and its bytes; without a name it is a field of text.
        boundary: What stands between the parts.
    """
    body = b""
    for file, content in parts:
        named = "" if file is None else f'; filename="{file}"'
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"{named}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()
