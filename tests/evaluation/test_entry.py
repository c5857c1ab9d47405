"""An evaluation as the commands make it: leaks before, files and the page after."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from photos import Photos

from pipeline.cache.features import Selection
from pipeline.errors import PipelineError
from pipeline.evaluation import entry as entry_module
from pipeline.evaluation.entry import check_entry, evaluate_entry
from pipeline.extraction import Extraction
from pipeline.heads import TrainedHead, train_head

Run = Callable[..., list[Extraction]]


@pytest.fixture
def chosen(photos: Photos, run: Run) -> Selection:
    """Two classes in three splits; two training pictures stand in test, one of them in val as well."""
    for split, count in (("train", 6), ("val", 3), ("test", 4)):
        for label in ("cats", "dogs"):
            photos.add(f"{split}/{label}", count)
    cats = sorted((photos.root / "train/cats").iterdir())
    shutil.copy(cats[0], photos.root / "test/cats/copy.png")
    shutil.copy(cats[1], photos.root / "test/cats/other.png")
    shutil.copy(cats[1], photos.root / "val/cats/other.png")
    return Selection(tuple(extraction.entry for extraction in run()))


@pytest.fixture
def head(chosen: Selection, tmp_path: Path) -> TrainedHead:
    return train_head("prototype", chosen.open("train"), chosen.open("val"), runs=tmp_path / "runs")


def test_figures_are_given_with_and_without_what_leaks(chosen: Selection, head: TrainedHead) -> None:
    report = evaluate_entry(head, chosen, "test", leaks=check_entry(chosen))
    assert (report.figures.n, report.without_leaks.n) == (10, 8)
    described = json.loads((report.folder / "metrics.json").read_text())
    assert described["leaks"]["exact"] == 4
    assert described["without_leaks"]["n"] == 8
    assert described["without_leaks"]["accuracy"] == report.without_leaks.accuracy
    (note,) = [note for note in report.notes if note.startswith("LEAK")]
    assert "2 of 10 rows stand in the training split" in note
    page = (report.folder / "report.html").read_text()
    assert page.count("2 of 10 rows stand in the training split") == 2  # at the top, and where help is
    assert "copy.png" in page


def test_without_a_leak_nothing_is_said(
    chosen: Selection, head: TrainedHead, photos: Photos, run: Run
) -> None:
    for path in (*photos.root.glob("test/cats/[co]*.png"), photos.root / "val/cats/other.png"):
        path.unlink()
    clean = Selection(tuple(extraction.entry for extraction in run()))
    report = evaluate_entry(head, clean, "test", leaks=check_entry(clean))
    assert report.without_leaks is None
    assert not any(note.startswith("LEAK") for note in report.notes)


def test_images_that_are_gone_cost_only_the_thumbnails(
    chosen: Selection, head: TrainedHead, photos: Photos
) -> None:
    shutil.rmtree(photos.root)
    report = evaluate_entry(head, chosen, "test", leaks=check_entry(chosen))
    assert report.without_leaks.n == 8
    assert "report.html" in {path.name for path in report.folder.iterdir()}


def test_large_splits_are_not_read_whole(chosen: Selection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_module, "QUICK_ROWS", 5)
    leaks = check_entry(chosen)
    assert leaks.counts["exact"] == 4
    assert leaks.notes == (entry_module.LARGE,)


def test_one_split_has_nothing_to_be_compared_with(photos: Photos, run: Run) -> None:
    photos.add("train/cats", 3)
    photos.add("train/dogs", 3)
    photos.add("val/cats", 1)
    (extraction,) = run()
    extraction.entry.file("val").unlink()
    assert check_entry(Selection((extraction.entry,))) is None


def test_a_page_that_fails_leaves_no_report(
    chosen: Selection, head: TrainedHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PipelineError("no")

    monkeypatch.setattr("pipeline.evaluation.page.write_report_page", fail)
    with pytest.raises(PipelineError, match="no"):
        evaluate_entry(head, chosen, "test")
    assert not (head.folder / "test").exists()
