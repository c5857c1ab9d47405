"""Files that are there when the folder is listed, and are something else, or nothing, when they are read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from counting_engine import CountingEngine
from photos import Photos

from pipeline.extraction import Extraction
from pipeline.images import manifest

Run = Callable[..., list[Extraction]]
Vanish = Callable[[Path], None]


def into_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def into_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


WAYS = [
    pytest.param(Path.unlink, "No such file or directory", id="gone"),
    pytest.param(into_a_pipe, "not a regular file", id="a pipe"),
    pytest.param(into_a_folder, "not a regular file", id="a folder"),
]


@pytest.fixture
def vanishing(photos: Photos) -> Path:
    photos.add("val/cats")
    return photos.add("train/cats", 4)[2]


@pytest.mark.parametrize(("vanish", "reason"), WAYS)
def test_between_listing_and_reading(
    vanish: Vanish, reason: str, vanishing: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest_items = manifest.digest_items

    def first_vanish(*arguments: object, **options: object) -> object:
        vanish(vanishing)
        return digest_items(*arguments, **options)

    monkeypatch.setattr(manifest, "digest_items", first_vanish)
    (extraction,) = run(skip_bad=True)
    assert [(bad.id, bad.reason) for bad in extraction.skipped] == [(f"train/cats/{vanishing.name}", reason)]
    assert extraction.splits["train"].rows == 3


@pytest.mark.parametrize(("vanish", "reason"), WAYS)
def test_between_the_digest_and_decoding(
    vanish: Vanish,
    reason: str,
    vanishing: Path,
    engine: CountingEngine,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load = engine.load

    def first_vanish(*arguments: object) -> CountingEngine:
        vanish(vanishing)
        return load(*arguments)

    monkeypatch.setattr("pipeline.extraction.engines.keras.load", first_vanish)
    (extraction,) = run()
    assert [bad.reason for bad in extraction.failures] == [reason]
    assert extraction.unfinished == ["train"]
    assert extraction.splits["train"].computed == 3
