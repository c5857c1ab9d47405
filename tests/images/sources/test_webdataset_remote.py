from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tar_shards import png, write_tar

from pipeline.errors import PipelineError, UsageError
from pipeline.images import open_images
from pipeline.images.manifest import scan
from pipeline.images.sources import _remote_storage, _stores

fsspec = pytest.importorskip("fsspec")

from fsspec.implementations.memory import MemoryFileSystem  # noqa: E402


def made_at(created):
    """Returns a version: of one file, fsspec lists the time as a number and tells it as a date."""
    return f"made {created if isinstance(created, float) else created.timestamp()}"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store that states versions, with two shards; returns their folder."""
    files, folder = fsspec.filesystem("memory"), f"/{tmp_path.name}/pets"
    for number in range(2):
        shard = write_tar(tmp_path / f"pets-{number}.tar", {"cat/1.png": number, "dog/2.png": 9 + number})
        files.pipe(f"{folder}/{shard.name}", shard.read_bytes())
    monkeypatch.setattr(_remote_storage, "version_of", lambda details, now_s: made_at(details["created"]))
    monkeypatch.setattr(_stores, "PAUSE_S", 0.0)
    return folder


@pytest.fixture
def requests(monkeypatch):
    """What is asked of the store: the ranges."""
    asked = []
    cat = MemoryFileSystem.cat_file

    def cat_file(self, path, start=None, end=None, **options):
        asked.append((start, end))
        return cat(self, path, start=start, end=end, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", cat_file)
    return asked


def test_an_unchanged_shard_is_listed_and_not_read_again(store, requests, tmp_path):
    cache = tmp_path / "digests.sqlite"
    scan(open_images(f"memory:/{store}/pets-{{0..1}}.tar"), cache)
    listing = 2
    assert len(requests) == listing + 4
    requests.clear()
    source = open_images(f"memory:/{store}/*.tar")
    assert (source.uri, source.name, source.notes) == (f"memory://{store}/*.tar", "pets", ())
    scan(source, cache)
    assert len(requests) == listing
    fsspec.filesystem("memory").pipe(f"{store}/pets-1.tar", (tmp_path / "pets-0.tar").read_bytes())
    requests.clear()
    scan(open_images(f"memory:/{store}/*.tar"), cache)
    assert len(requests) == listing + 2


def test_a_remote_folder_of_shards_says_how_to_read_them(store):
    with pytest.raises(
        UsageError, match=rf"holds no images.*to read the tar files there, give 'memory://{store}/\*"
    ):
        open_images(f"memory:/{store}")


def test_an_image_is_one_request_for_its_bytes(store, requests):
    source = open_images(f"memory:/{store}/pets-1.tar")
    requests.clear()
    assert source.read(source.items()[1]) == png(10)
    ((start, end),) = requests
    assert (start, end - start) == (512 + 512 + 512, len(png(10)))


def test_passing_trouble_is_waited_out_and_lasting_trouble_told(store, monkeypatch):
    source = open_images(f"memory:/{store}/*.tar")
    troubles = [TimeoutError("slow")] * (_stores.ATTEMPTS - 1)
    cat = MemoryFileSystem.cat_file

    def fail(self, *args, **options):
        if troubles:
            raise troubles.pop()
        return cat(self, *args, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", fail)
    assert source.read(source.items()[0]) == png(0)
    troubles += [RuntimeError("status 503\nslow down")] * 50
    with pytest.raises(OSError, match=r"status 503 slow down \(4 attempts\)"):
        source.read(source.items()[0])
    with pytest.raises(PipelineError, match=r"cannot read .*pets-[01]\.tar: status 503 slow down"):
        open_images(f"memory:/{store}/*.tar")


def test_a_store_that_sends_less_than_it_promised_is_not_believed(store, monkeypatch):
    source = open_images(f"memory:/{store}/*.tar")
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda self, *args, **options: b"short")
    with pytest.raises(OSError, match=r"sent 5 bytes of pets-0\.tar where \d+ were asked for"):
        source.read(source.items()[0])


@pytest.mark.parametrize(
    ("uri", "match"),
    [
        ("{folder}/pets-{{0..3}}.tar", r"names shards that do not exist \(2\): pets-2\.tar, pets-3\.tar"),
        ("{folder}/none.tar", r"none\.tar does not exist"),
        ("{folder}/none-*.tar", r"no file matches memory:///.*none-\*\.tar"),
        ("{folder}/pets-0.tar.gz", r"is compressed"),
    ],
)
def test_what_is_not_there_is_refused(store, uri, match):
    with pytest.raises(UsageError, match=match):
        open_images(uri.format(folder=f"memory:/{store}"))


@pytest.mark.parametrize(
    ("uri", "match"),
    [
        ("s3://me:secret@bucket/a-{0..3}.tar", "holds a password"),
        ("https://host/a.tar?signature=secret.tar", r"holds '\?'"),
        ("s3://zip::a.tar", "chains file systems"),
    ],
)
def test_secrets_are_not_repeated(uri, match):
    with pytest.raises(UsageError, match=match) as caught:
        open_images(uri)
    assert "secret" not in str(caught.value)


@pytest.fixture(params=[True, False], ids=["ranges", "no-ranges"])
def web(request, tmp_path):
    """A web server with one shard; yields its address and whether it understands ranges."""
    content = write_tar(tmp_path / "p-0.tar", {"0.bin": bytes(200_000), "cat/1.png": 1, "dog/2.png": 2})
    content = content.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if not self.path.endswith("/p-0.tar"):
                self.send_error(404)
                return
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            ranged = request.param and asked
            body = content[int(asked[1]) : int(asked[2]) + 1] if ranged else content
            self.send_response(206 if ranged else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - http.server asks for it by this name

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/shards", request.param
    server.shutdown()
    thread.join()
    server.server_close()


def test_shards_behind_a_web_server_are_read_in_parts(web, monkeypatch):
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(_stores, "PAUSE_S", 0.0)
    address, ranges = web
    if not ranges:
        with pytest.raises(PipelineError, match=r"p-0\.tar: .* doesn't appear to support range requests"):
            open_images(f"{address}/p-0.tar")
        return
    source = open_images(f"{address}/p-{{0..0}}.tar")
    assert [item.id for item in source.items()] == ["p-0.tar/cat/1.png", "p-0.tar/dog/2.png"]
    assert [source.read(item) for item in source.items()] == [png(1), png(2)]
    with pytest.raises(UsageError, match=r"web servers list no files; name shards as in photos-\{00\.\.09\}"):
        open_images(f"{address}/p-*.tar")
    with pytest.raises(UsageError, match=r"names shards that do not exist \(1\): p-1\.tar"):
        open_images(f"{address}/p-{{0..1}}.tar")
