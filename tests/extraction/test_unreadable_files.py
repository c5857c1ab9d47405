"""Feature files that the system does not let be read now: their rows stay, are named, and serve later."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from counting_engine import CountingEngine
from photos import Photos

from pipeline.cache import feature_file
from pipeline.cache.entries import Entry
from pipeline.cache.inspection import remove_retired, summaries, verify_cache
from pipeline.errors import UnreadableFileError
from pipeline.extraction import Extraction
from pipeline.extraction.calibration import QuantisedNetwork, recorded_networks
from pipeline.sweeps.results import Result, ResultStore

Run = Callable[..., list[Extraction]]
Refuse = Callable[[Path], None]
REFUSALS = [
    *(
        OSError(number, os.strerror(number))
        for number in (errno.EACCES, errno.EIO, errno.EMFILE, errno.ESTALE)
    ),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    MemoryError(),
]


@pytest.fixture(params=REFUSALS, ids=lambda error: f"{type(error).__name__} {getattr(error, 'errno', '')}")
def refuse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Lets the system refuse to open one file from now on, whatever its name becomes."""

    def refuse(refused: Path) -> None:
        opened, inode = h5py.File, os.stat(refused).st_ino

        def open_other(path: Path, *arguments: object, **options: object) -> h5py.File:
            if os.path.exists(path) and os.stat(path).st_ino == inode:
                raise request.param
            return opened(path, *arguments, **options)

        monkeypatch.setattr(feature_file.h5py, "File", open_other)

    return refuse


@pytest.fixture
def entry(photos: Photos, run: Run, engine: CountingEngine) -> Entry:
    photos.add("train/cats", 4)
    photos.add("train/dogs", 3)
    photos.add("val/cats", 2)
    (extraction,) = run()
    engine.forget()
    return extraction.entry


def named(extraction: Extraction) -> list[str]:
    return [Path(item["file"]).name for item in extraction.to_json()["left_alone"]]


def test_a_published_file_is_kept_aside(
    entry: Entry,
    photos: Photos,
    run: Run,
    engine: CountingEngine,
    refuse: Refuse,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = entry.file("train").read_bytes()
    for path in photos.files("train")[:2]:
        path.unlink()  # so that it holds rows that no newer file will have
    with monkeypatch.context():
        refuse(entry.file("train"))
        (extraction,) = run()
        assert engine.computed == 5
        assert named(extraction) == ["train.1.h5.retired"]
        assert entry.retired()[0].read_bytes() == before
        (again,) = run()
        assert named(again) == ["train.1.h5.retired"]


def test_a_file_being_filled_is_kept_aside(
    entry: Entry, photos: Photos, run: Run, engine: CountingEngine, refuse: Refuse
) -> None:
    entry.file("train").rename(entry.partial("train"))
    before = entry.partial("train").read_bytes()
    refuse(entry.partial("train"))
    (extraction,) = run()
    assert engine.computed == 7
    assert named(extraction) == ["train.1.h5.retired"]
    assert entry.retired()[0].read_bytes() == before


def test_a_retired_file_stays(
    entry: Entry, photos: Photos, run: Run, engine: CountingEngine, refuse: Refuse
) -> None:
    gone = photos.files("train")[0]
    content = gone.read_bytes()
    gone.unlink()
    run()
    (retired,) = entry.retired()
    gone.write_bytes(content)
    refuse(retired)
    (extraction,) = run()
    assert engine.computed == 1  # again, and that is all it costs
    assert named(extraction) == [retired.name]
    assert retired.exists()


def test_its_rows_serve_when_it_can_be_read_again(
    entry: Entry, run: Run, engine: CountingEngine, monkeypatch: pytest.MonkeyPatch, refuse: Refuse
) -> None:
    refuse(entry.file("train"))
    run()
    assert engine.computed == 7
    monkeypatch.undo()
    engine.forget()
    engine.install(monkeypatch)
    (extraction,) = run()
    assert engine.computed == 0
    assert named(extraction) == []
    assert not entry.retired()  # now that it was read, nothing in it is lacking elsewhere


def test_ls_and_verify_name_it_and_no_damage(entry: Entry, cache: Path, refuse: Refuse) -> None:
    refuse(entry.file("train"))
    (listed,) = summaries(cache)
    assert listed["rows"] == {"train": None, "val": 2}
    assert [item["file"] for item in listed["left_alone"]] == [str(entry.file("train"))]
    (found,) = (finding for finding in verify_cache(cache) if finding["unreadable"])
    assert found["file"] == str(entry.file("train"))
    assert (found["problem"], found["bad_rows"]) == (None, [])


def test_gc_leaves_what_it_cannot_read(
    entry: Entry, cache: Path, photos: Photos, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos.files("train")[0].unlink()
    run()
    (retired,) = entry.retired()
    opened = os.open

    def refuse(path: object, *arguments: object, **options: object) -> int:
        if path == retired.name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    freed = remove_retired(cache)
    assert [one.to_json() for one in freed.left] == [
        {"file": str(retired), "reason": "cannot be read now (Input/output error)"}
    ]
    assert (freed.bytes, retired.exists()) == (0, True)


def test_a_result_of_a_sweep_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ResultStore(tmp_path / "results", "the same rows")
    store.start(resume=False)
    store.save(Result("0123456789ab", "ridge", {}, score=0.5))
    read = Path.read_bytes

    def refuse(path: Path, *arguments: object, **options: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UnreadableFileError, match="out of memory"):
        store.start(resume=True)
    monkeypatch.setattr(Path, "read_bytes", read)
    assert list(store.start(resume=True)) == ["0123456789ab"]


def test_a_quantised_network_is_not_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "int8" / "network-01234567" / "calibration.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    assert recorded_networks(tmp_path / "int8") == {}

    def refuse(path: Path) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(UnreadableFileError, match=r"calibration\.json cannot be read now"):
        recorded_networks(tmp_path / "int8")
    with pytest.raises(UnreadableFileError):
        QuantisedNetwork.from_record(record)


def _drop_privileges() -> None:
    # As root no permission counts, unless the two capabilities that override them are gone at exec.
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def test_a_locked_file_through_every_command(photos: Photos, tmp_path: Path) -> None:
    photos.add("train/cats", 3)
    photos.add("val/dogs", 2)
    cache, options = tmp_path / "cache", {} if os.geteuid() else {"preexec_fn": _drop_privileges}

    def pipeline(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pipeline", *map(str, arguments), "--cache", str(cache), "--json"]
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    extract = ["extract", "--data", photos.root, "--backbone", "pixels", "--image-size", 32]
    assert pipeline(*extract).returncode == 0
    (locked,) = cache.glob("*/*/train.h5")
    photos.files("train")[0].unlink()
    locked.chmod(0)
    said = pipeline(*extract)
    assert said.returncode == 0, said.stderr
    retired = locked.with_name("train.1.h5.retired")
    left = [{"file": str(retired), "reason": "cannot be read now (Permission denied)"}]
    assert json.loads(said.stdout)["left_alone"] == left
    assert f"{retired} cannot be read now (Permission denied): it is left as it is" in said.stderr
    collected = pipeline("cache", "gc")
    assert json.loads(collected.stdout) == {"freed": 0, "left_alone": left}
    verified = pipeline("cache", "verify")
    assert (verified.returncode, json.loads(verified.stdout.splitlines()[0])["left_alone"]) == (1, left)
    locked.chmod(0)
    (listed,) = json.loads(pipeline("cache", "ls").stdout)["entries"]
    assert [item["file"] for item in listed["left_alone"]] == [str(locked)]
    retired.chmod(0o644)
    locked.chmod(0o644)
    assert json.loads(pipeline("cache", "gc").stdout)["freed"] > 0
