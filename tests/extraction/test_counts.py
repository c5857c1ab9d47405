"""Every image is computed once, ever; the engine counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from counting_engine import CountingEngine
from photos import Photos

from pipeline.cache import open_features
from pipeline.errors import UsageError
from pipeline.extraction import Extraction, filling

BATCH = 4

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]


@pytest.mark.parametrize("store", ["float16", "float32"])
@pytest.mark.parametrize("n", [1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH + 3])
def test_each_image_is_seen_once_and_never_again(
    n: int, store: str, photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    photos.add("train/cats", n)
    photos.add("val/cats")
    (first,) = run(store=store)
    assert set(engine.seen.values()) == {1}
    assert (engine.loads, engine.computed, first.computed) == (1, n + 1, n + 1)
    assert_complete(first)

    engine.forget()
    (second,) = run(store=store)
    assert (engine.loads, engine.computed, second.computed) == (0, 0, 0)
    assert second.splits["train"].reused == n
    assert_complete(second)


def test_only_the_last_batch_is_padded(photos: Photos, engine: CountingEngine, run: Run) -> None:
    photos.add("train/cats", 9)
    photos.add("val/cats", 2)
    run()
    assert engine.batches == [4, 4, 3]


@pytest.mark.parametrize("block_rows", [1, BATCH, 2 * BATCH + 1])
def test_many_blocks_fill_every_row(
    block_rows: int,
    photos: Photos,
    engine: CountingEngine,
    run: Run,
    assert_complete: Check,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(filling, "BLOCK_ROWS", block_rows)
    for split, count in (("train", 13), ("val", 5), ("test", 1)):
        photos.add(f"{split}/cats", count)
        photos.add(f"{split}/dogs", count)
    (extraction,) = run()
    assert engine.computed == 38
    assert [split.rows for split in extraction.splits.values()] == [26, 10, 2]
    assert_complete(extraction)


def test_no_images_is_an_error(photos: Photos, run: Run, engine: CountingEngine) -> None:
    (photos.root / "train" / "cats").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds no images, in train/cats/ and wherever else"):
        run()
    assert engine.loads == 0


def test_ten_added_one_changed_one_renamed_one_relabelled(
    photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    cats, dogs = photos.add("train/cats", 10), photos.add("train/dogs", 10)
    photos.add("val/cats", 3)
    run()
    engine.forget()
    photos.add("train/dogs", 10)
    photos.write(str(cats[0].relative_to(photos.root)))
    cats[1].rename(cats[1].with_name("renamed.png"))
    dogs[0].rename(photos.root / "train/cats/was a dog.png")
    (extraction,) = run()
    assert engine.computed == extraction.computed == 11
    assert extraction.splits["train"].reused == 19
    assert_complete(extraction)


def test_an_image_that_changes_its_split_is_not_computed_again(
    photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    moved = photos.add("train/cats", 5)[2]
    photos.add("val/cats", 2)
    photos.add("test/cats", 3)
    run()
    engine.forget()
    moved.rename(photos.root / "test/cats" / moved.name)
    (extraction,) = run()
    assert (engine.loads, engine.computed) == (0, 0)
    assert (extraction.splits["train"].rows, extraction.splits["test"].rows) == (4, 4)
    assert extraction.entry.retired() == []
    assert_complete(extraction)


def test_a_class_that_was_away_costs_nothing(
    photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    photos.add("train/cats", 4)
    photos.add("train/dogs", 4)
    photos.add("val/cats", 2)
    run()
    engine.forget()
    dogs, away = photos.root / "train/dogs", photos.root.with_name("away")
    dogs.rename(away)
    (without,) = run()
    assert [path.name for path in without.entry.retired()] == ["train.1.h5.retired"]
    assert_complete(without)
    away.rename(dogs)
    (back,) = run()
    assert engine.computed == 0
    assert back.entry.retired() == []
    assert_complete(back)


def test_a_split_that_is_gone_is_kept_aside(photos: Photos, engine: CountingEngine, run: Run) -> None:
    photos.add("train/cats", 3)
    photos.add("val/cats", 2)
    photos.add("test/cats", 2)
    run()
    (photos.root / "test").rename(photos.root.with_name("away"))
    (without,) = run()
    assert without.entry.splits == ["train", "val"]
    assert [path.name for path in without.entry.retired()] == ["test.1.h5.retired"]
    photos.root.with_name("away").rename(photos.root / "test")
    engine.forget()
    (back,) = run()
    assert engine.computed == 0
    assert back.entry.splits == ["train", "val", "test"]


def test_two_names_share_their_rows(
    photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    photos.add("train/cats", 5)
    photos.add("val/cats", 1)
    run()
    engine.forget()
    (other,) = run(name="other")
    assert (engine.loads, engine.computed) == (0, 0)
    assert other.entry.dataset == "other"
    assert_complete(other)


def test_copies_inside_a_source_are_computed_once(
    photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    originals = photos.add("train/cats", 5)
    photos.add("val/cats", 1)
    for number, folder in enumerate(("train/cats", "train/dogs", "test/dogs")):
        (photos.root / folder).mkdir(parents=True, exist_ok=True)
        (photos.root / folder / f"copy{number}.png").write_bytes(originals[number].read_bytes())
    (extraction,) = run()
    assert set(engine.seen.values()) == {1}
    assert engine.computed == extraction.computed == 6
    assert (extraction.splits["train"].reused, extraction.splits["test"].reused) == (2, 1)
    assert_complete(extraction)


def test_the_order_of_files_in_a_folder_does_not_matter(
    photos: Photos, run: Run, assert_complete: Check
) -> None:
    for name in ("10", "9", "a", "B", "é", "1e3"):
        photos.write(f"train/cats/{name}.png")
    photos.add("val/cats")
    (extraction,) = run()
    ids = open_features(extraction.entry, "train").rows.ids
    assert len(np.unique(ids)) == 6
    assert_complete(extraction)
