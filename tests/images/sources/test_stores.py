from __future__ import annotations

import datetime
import importlib
import sys

import pytest

from pipeline.errors import UsageError
from pipeline.images import open_images
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


@pytest.mark.parametrize(
    "uri",
    [
        *("https:/host/photos", "https:host/photos", "https//host/photos", "HTTPS:/host/photos"),
        *("https:/host/photos/t.csv", "https:/host/photos-{0..3}.tar"),
    ],
)
def test_an_address_with_another_number_of_slashes_is_refused_with_the_right_one(uri):
    with pytest.raises(UsageError, match="is no address of a store: write https://host/photos"):
        open_images(uri)


def test_a_folder_whose_name_begins_like_an_address_is_one(make_images, tmp_path, monkeypatch):
    make_images(tmp_path, "https:/host/a/1.png", "s3/a/1.png")
    monkeypatch.chdir(tmp_path)
    assert open_images("https:/host").uri == f"{tmp_path}/https:/host"
    assert open_images("s3/").name == "s3"
