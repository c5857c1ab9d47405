"""Remote stores through fsspec: which protocols are understood, and how a store is asked."""

from __future__ import annotations

import datetime
import importlib
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from pipeline.errors import PipelineError, UsageError
from pipeline.images.sources._words import on_one_line
from pipeline.memory import shortage

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PROTOCOLS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "https": "aiohttp",
    "http": "aiohttp",
    "hf": "huggingface_hub",
    "sftp": "paramiko",
    "ssh": "paramiko",
    "hdfs": "pyarrow",
    "memory": "fsspec",
}
"""The package each protocol needs beside fsspec. Others that fsspec knows (archives, references, chains with
``::``, this machine's files) are left out: an address may come with a cache that somebody else has made."""

ATTEMPTS = 4
PAUSE_S = 0.5
"""Seconds before the second attempt; each later one waits twice as long."""

_MISSPELT = re.compile(r"([A-Za-z0-9]+)(?::/?|//)([^/:].*)", re.DOTALL)
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, NotImplementedError)
_ETAGS = ("ETag", "etag", "e_tag", "content_md5", "md5Hash", "generation", "blob_id", "oid")
_TIMES = ("LastModified", "last_modified", "updated", "timeModified")  # a writer can set an "mtime"
_RACY_S = 2.0
_T = TypeVar("_T")


def protocol_of(uri: str) -> str | None:
    """Returns the protocol of an address such as ``s3://bucket/photos``, None where it is none of ours."""
    protocol, mark, rest = uri.partition("://")
    return protocol.lower() if mark and rest and protocol.lower() in PROTOCOLS else None


def meant_address(uri: str) -> str | None:
    """Returns the address that is meant by ``https:/x``, ``https:x`` or ``https//x``; None for others."""
    found = _MISSPELT.fullmatch(uri)
    if not found or found[1].lower() not in PROTOCOLS or os.path.exists(uri):
        return None
    return f"{found[1].lower()}://{found[2]}"


def connect(uri: str) -> tuple[AbstractFileSystem, str]:
    """Opens the store behind an address; credentials come from the environment, as its package documents.

    Returns:
        The file system and the path in it, without a slash at the end.

    Raises:
        UsageError: The address is malformed or holds a password, or a package is missing.
        PipelineError: The store cannot be opened.
    """
    protocol = protocol_of(uri) or ""
    _refuse_secrets(uri, protocol)
    package = PROTOCOLS[protocol]
    try:
        fsspec = importlib.import_module("fsspec")
        options = {"use_listings_cache": False, "skip_instance_cache": True}
        files, path = fsspec.core.url_to_fs(f"{protocol}://{uri.partition('://')[2]}", **options)
    except ImportError as error:
        missing = "fsspec" if error.name == "fsspec" else package
        also = "" if missing == package else f" {package}"
        raise UsageError(f"{on_one_line(uri)} needs a package: pip install {missing}{also}") from error
    except Exception as error:  # each store's package raises its own, e.g. for missing credentials
        raise PipelineError(f"cannot open {on_one_line(uri)}: {reason(error)}") from error
    return files, path.rstrip("/")


def patiently(action: Callable[[], _T], *, sleep: Callable[[float], None] = time.sleep) -> _T:
    """Does something over a network, again after a pause where that may help.

    Raises:
        OSError: It failed ``ATTEMPTS`` times, or in a way that another attempt cannot mend.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return action()
        except _FINAL:
            raise
        except Exception as error:  # aiohttp, botocore and others raise classes of their own
            if shortage(error):
                raise
            if attempt == ATTEMPTS:
                raise OSError(f"{reason(error)} ({ATTEMPTS} attempts)") from error
            sleep(PAUSE_S * 2 ** (attempt - 1))
    raise AssertionError


def version_of(details: Mapping[str, object], *, now_s: float) -> str | None:
    """Returns what tells an object's content from a later one, None where the store says too little.

    An ETag or checksum is taken as it is. Size and time of change count only where the store itself takes
    down the time, and it lies back long enough that a later change is bound to show, as with ``Stamps``.

    Args:
        details: What ``fsspec`` lists for the object.
        now_s: Seconds since 1970, taken before the store was asked.
    """
    for key in _ETAGS:
        if details.get(key):
            return f"{key} {details[key]} {details.get('size')}"
    changed = next((details[key] for key in _TIMES if details.get(key)), None)
    if isinstance(changed, datetime.datetime):
        zoned = changed if changed.tzinfo else changed.replace(tzinfo=datetime.UTC)
        changed = zoned.timestamp()
    if isinstance(changed, int | float) and changed <= now_s - _RACY_S and details.get("size") is not None:
        return f"changed {changed!r} {details['size']}"
    return None


def reason(error: BaseException) -> str:
    """Returns why an operation failed, on one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def _refuse_secrets(uri: str, protocol: str) -> None:
    """Refuses what would be written into feature files and logs, without repeating it."""
    _, _, rest = uri.partition("://")
    if "::" in uri:
        raise UsageError(f"{on_one_line(uri)} chains file systems with '::': give the address of one folder")
    if ":" in rest.partition("/")[0].rpartition("@")[0]:
        raise UsageError(
            f"a {protocol}:// address holds a password, which would be stored with the features: leave it "
            "out, and set it as the store's package documents (environment or configuration file)"
        )
    if protocol in ("http", "https") and (urlsplit(uri).query or urlsplit(uri).fragment):
        raise UsageError(f"a {protocol}:// address holds '?' or '#': give the plain address of a folder")
