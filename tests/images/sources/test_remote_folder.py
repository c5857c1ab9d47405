from __future__ import annotations

import os
import pickle
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.errors import PipelineError, UsageError
from pipeline.images import open_images
from pipeline.images.manifest import scan
from pipeline.images.sources import _remote_storage, _stores

fsspec = pytest.importorskip("fsspec")

from fsspec.implementations.memory import MemoryFileSystem  # noqa: E402

KINDS = ("cat", "dog")
PATHS = [f"{split}/{kind}/{i}.png" for split in ("train", "test") for kind in KINDS for i in range(3)]


class Bucket(MemoryFileSystem):
    """A store with ETags that counts downloads, and fails as often as it is told."""

    protocol = "bucket"
    store: dict = {}  # noqa: RUF012 - MemoryFileSystem keeps its files in the class
    pseudo_dirs: list = [""]  # noqa: RUF012
    etags = True
    reads = 0
    failures: list = []  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).replace("bucket://", "memory://", 1))

    def ls(self, path, detail=True, **options):
        self._fail()
        found = super().ls(path, detail=True, **options)
        return [entry | {"ETag": str(entry.get("created", ""))} if self.etags else entry for entry in found]

    def open(self, path, *args, **options):
        self._fail()
        type(self).reads += 1
        return super().open(path, *args, **options)

    @classmethod
    def _fail(cls):
        if cls.failures:
            raise cls.failures.pop()


@pytest.fixture
def bucket(monkeypatch, tmp_path, make_images):
    for name, value in {"store": {}, "pseudo_dirs": [""], "etags": True, "reads": 0, "failures": []}.items():
        monkeypatch.setattr(Bucket, name, value)
    monkeypatch.setitem(_stores.PROTOCOLS, "bucket", "nothing")
    monkeypatch.setattr(_stores, "PAUSE_S", 0.0)
    fsspec.register_implementation("bucket", Bucket, clobber=True)
    files = Bucket(skip_instance_cache=True)
    files.put(str(make_images(tmp_path / "photos", *PATHS)), "/photos", recursive=True)
    Bucket.reads = 0
    return files


def test_a_remote_folder_is_read_like_a_local_one(bucket, tmp_path):
    here, there = open_images(str(tmp_path / "photos")), open_images("bucket://photos")
    assert there.classes == here.classes == ("cat", "dog")
    assert there.name == "photos"
    assert there.uri == "bucket:///photos"
    assert [(i.id, i.label, i.split) for i in there.items()] == [
        (i.id, i.label, i.split) for i in here.items()
    ]
    assert Bucket.reads == 0
    pairs = zip(here.items(), there.items(), strict=True)
    assert all(here.read(a) == there.read(b) for a, b in pairs)


def test_stable_splits_are_those_of_the_same_images_here(bucket, make_images, tmp_path):
    paths = [f"{kind}/{i}.png" for kind in "ab" for i in range(20)]
    bucket.put(str(make_images(tmp_path / "flat", *paths)), "/flat", recursive=True)
    here, there = scan(open_images(str(tmp_path / "flat"))), scan(open_images("bucket://flat"))
    assert list(there.splits) == list(here.splits)
    assert all(rows.equals(there.splits[split]) for split, rows in here.splits.items())


def test_images_of_a_known_version_are_not_downloaded_again(bucket, tmp_path):
    file = tmp_path / "digests.sqlite"
    first = scan(open_images("bucket://photos"), file)
    assert Bucket.reads == len(PATHS)
    assert not first.source.notes
    scan(open_images("bucket://photos"), file)
    assert Bucket.reads == len(PATHS)
    bucket.pipe("/photos/train/cat/0.png", b"another picture")
    Bucket.reads = 0
    again = scan(open_images("bucket://photos"), file)
    assert Bucket.reads == 1
    assert not again.splits["train"].equals(first.splits["train"])


def test_without_versions_everything_is_read_again_and_the_user_is_told(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(Bucket, "etags", False)
    for _ in range(2):
        Bucket.reads = 0
        manifest = scan(open_images("bucket://photos"), tmp_path / "digests.sqlite")
        assert Bucket.reads == len(PATHS)
    assert manifest.source.notes == (
        f"bucket:///photos states no version of {len(PATHS)} images: "
        "their content is read again by every run",
    )


def test_passing_trouble_is_waited_out(bucket):
    Bucket.failures = [ConnectionResetError("reset"), RuntimeError("503")]
    source = open_images("bucket://photos")
    Bucket.failures = [TimeoutError("slow")] * (_stores.ATTEMPTS - 1)
    assert source.read(source.items()[0])
    assert Bucket.failures == []


def test_lasting_trouble_is_an_error_with_the_reason(bucket):
    source = open_images("bucket://photos")
    Bucket.failures = [RuntimeError("status 503\nslow down")] * 50
    with pytest.raises(OSError, match=r"status 503 slow down \(4 attempts\)"):
        source.read(source.items()[0])
    with pytest.raises(PipelineError, match=r"cannot list bucket:///photos: status 503 slow down"):
        open_images("bucket://photos")


def test_an_image_that_has_gone_is_named_and_not_asked_for_again(bucket):
    source = open_images("bucket://photos")
    bucket.rm("/photos/train/cat/1.png")
    Bucket.reads = 0
    manifest = scan(source)
    assert [bad.id for bad in manifest.unreadable] == ["train/cat/1.png"]
    assert Bucket.reads == len(PATHS)


def test_an_image_beyond_the_limit_is_refused(bucket, monkeypatch):
    monkeypatch.setattr(_remote_storage, "MAX_BYTES", 10)
    source = open_images("bucket://photos")
    with pytest.raises(OSError, match="more than the limit of 10 bytes"):
        source.read(source.items()[0])


def test_a_source_can_be_sent_to_another_process(bucket):
    source = open_images("bucket://photos")
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301 - made on the line itself
    assert copy.read(copy.items()[0]) == source.read(source.items()[0])


def test_names_from_elsewhere_and_other_files_are_passed_over(bucket, monkeypatch):
    bucket.pipe("/photos/train/cat/notes.txt", b"x")
    bucket.pipe("/photos/train/cat/.hidden.png", b"x")
    strays = ["/elsewhere/1.png", "/photos/train/../1.png", "/photos/train/cat/x\ud800.png"]
    listed = Bucket.ls

    def ls(self, path, **options):
        return listed(self, path, **options) + [{"name": name, "type": "file", "size": 1} for name in strays]

    monkeypatch.setattr(Bucket, "ls", ls)
    source = open_images("bucket://photos")
    assert sorted(item.id for item in source.items()) == sorted(PATHS)
    (left_out,) = source.left_out
    assert (
        left_out.line == "left out files that are no images (2): train/cat/.hidden.png, train/cat/notes.txt"
    )


@pytest.mark.parametrize(
    ("uri", "match"),
    [
        ("bucket://nowhere", r"bucket:///nowhere does not exist, or is no folder: expected <class>"),
        ("bucket://photos/train/cat/0.png", r"0\.png is a file, not a folder of images"),
        ("bucket://photos/train/cat", "holds images but no class folders"),
        ("bucket://me:secret@host/photos", "holds a password.*environment"),
        ("https://host/photos?signature=secret", r"holds '\?' or '#'"),
        ("s3://zip::photos", "chains file systems"),
    ],
)
def test_what_cannot_be_used_is_refused_without_repeating_secrets(bucket, uri, match):
    with pytest.raises(UsageError, match=match) as caught:
        open_images(uri)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_folders_without_end_are_refused(bucket, monkeypatch):
    def ls(self, path, **options):
        return [{"name": f"{path}/again", "type": "directory", "size": 0}]

    monkeypatch.setattr(Bucket, "ls", ls)
    with pytest.raises(UsageError, match="more than 64 folders in one another"):
        open_images("bucket://photos")


def test_a_folder_that_must_not_be_read_is_called_so(bucket):
    Bucket.failures = [PermissionError("Access Denied")]
    with pytest.raises(UsageError, match=r"must not be read \(Access Denied\): check the credentials"):
        open_images("bucket://photos")


@pytest.fixture
def web(tmp_path, make_images):
    """A web server over a folder of photographs; yields its address."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    make_images(tmp_path / "photos", *PATHS)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/photos"
    server.shutdown()
    thread.join()
    server.server_close()


def test_photographs_behind_a_web_server_are_read(web, tmp_path):
    pytest.importorskip("aiohttp")
    source = open_images(web)
    assert [item.id for item in source.items()] == [
        item.id for item in open_images(str(tmp_path / "photos")).items()
    ]
    for item in source.items():
        assert source.read(item) == (tmp_path / "photos" / item.id).read_bytes()
    assert "states no version" in source.notes[0]
    with pytest.raises(UsageError, match="does not exist, or is no folder"):
        open_images(f"{web}/nowhere")
    assert os.listdir(tmp_path) == ["photos"]
