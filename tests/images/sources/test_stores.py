from __future__ import annotations

import datetime
import importlib
import sys

import pytest

from pipeline.errors import UsageError
from pipeline.images.sources import _stores
from pipeline.images.sources._stores import PROTOCOLS, connect, patiently, protocol_of, version_of

NOW_S = 1_800_000_000.0
LATER = datetime.datetime.fromtimestamp(NOW_S, datetime.UTC)
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_each_protocol_is_known_in_any_case(protocol):
    assert protocol_of(f"{protocol.upper()}://bucket/x") == protocol


@pytest.mark.parametrize(
    "uri", ["", "s3", "s3://", "s3:bucket", "file:///etc", "reference://x", "zip://a::s3://b", "photos/s3"]
)
def test_other_addresses_are_none_of_ours(uri):
    assert protocol_of(uri) is None


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_without_fsspec_the_line_to_install_it_is_given(protocol, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UsageError, match=r"needs a package: pip install fsspec\b") as caught:
        connect(f"{protocol}://bucket/x")
    assert PROTOCOLS[protocol] in str(caught.value)


def test_without_the_package_of_a_store_the_line_to_install_it_is_given(monkeypatch):
    pytest.importorskip("fsspec")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UsageError, match=r"^s3://bucket/x needs a package: pip install s3fs$"):
        connect("s3://bucket/x")


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"ETag": '"a1"', "size": 3, "LastModified": LATER}, 'ETag "a1" 3'),
        ({"md5Hash": "xyz", "size": 3}, "md5Hash xyz 3"),
        ({"updated": 1.5, "size": 3}, "changed 1.5 3"),
        ({"LastModified": LONG_AGO, "size": 3}, f"changed {LONG_AGO.timestamp()!r} 3"),
        ({"updated": LONG_AGO.replace(tzinfo=None), "size": 3}, f"changed {LONG_AGO.timestamp()!r} 3"),
        ({"updated": NOW_S - 1, "size": 3}, None),
        ({"mtime": 1.5, "size": 3}, None),  # whoever writes the file can set it
        ({"LastModified": LATER, "size": 3}, None),
        ({"updated": 1.5, "size": None}, None),
        ({"updated": "yesterday", "size": 3}, None),
        ({"size": 3}, None),
    ],
)
def test_a_version_is_what_can_be_relied_on(details, expected):
    assert version_of(details, now_s=NOW_S) == expected


def test_pauses_grow_and_the_last_error_is_told():
    pauses = []

    def fail():
        raise ValueError("broken")

    with pytest.raises(OSError, match=r"broken \(4 attempts\)"):
        patiently(fail, sleep=pauses.append)
    assert pauses == [_stores.PAUSE_S, 2 * _stores.PAUSE_S, 4 * _stores.PAUSE_S]
