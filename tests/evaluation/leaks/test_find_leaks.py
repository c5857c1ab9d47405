"""Real files with real copies among them, through stage one, to findings."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from photos import Photos, scene
from PIL import Image, ImageOps

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.leaks import KINDS, Leaks, find_leaks
from pipeline.images import ImageSource, open_images

Stored = Callable[[], dict[str, FeatureSet]]
Save = Callable[..., Path]
FEW_CHANNELS = "features of 3 channels tell too little to look for near pictures"


@pytest.fixture
def images(photos: Photos) -> Callable[[], ImageSource]:
    return partial(open_images, str(photos.root))


def found(leaks: Leaks) -> list[tuple[str, str, str]]:
    return [(one.kind, one.first.id, one.second.id) for one in leaks.findings]


def opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.copy()


def plant(save: Save, root: Path) -> list[tuple[str, str, str]]:
    """Copies five training images into the test split, each in another way; returns what is to be found."""
    kept = {number: opened(root / f"train/dogs/{number:02d}.jpg") for number in (2, 4, 6)}
    shutil.copy(root / "train/dogs/00.jpg", root / "test/dogs/00.jpg")
    shutil.copy(root / "train/dogs/08.jpg", root / "test/dogs/renamed.jpg")
    save(kept[2], "test/dogs/encoded.jpg", quality=60)
    save(kept[4].resize((168, 126)), "test/dogs/small.jpg", quality=90)
    save(ImageOps.mirror(kept[6]), "test/dogs/flipped.jpg", quality=90)
    return [
        ("exact", "train/dogs/00.jpg", "test/dogs/00.jpg"),
        ("exact", "train/dogs/08.jpg", "test/dogs/renamed.jpg"),
        ("mirrored", "train/dogs/06.jpg", "test/dogs/flipped.jpg"),
        ("perceptual", "train/dogs/02.jpg", "test/dogs/encoded.jpg"),
        ("perceptual", "train/dogs/04.jpg", "test/dogs/small.jpg"),
    ]


@pytest.mark.usefixtures("scenes")
def test_a_clean_data_set_has_no_leak(stored: Stored, images: Callable[[], ImageSource]) -> None:
    leaks = find_leaks(stored(), images=images)
    assert (leaks.findings, leaks.notes) == ((), (FEW_CHANNELS,))
    assert leaks.checked == {"train": 10, "val": 4, "test": 5}


@pytest.mark.usefixtures("scenes")
def test_every_way_of_copying_is_found(
    stored: Stored, save: Save, photos: Photos, images: Callable[[], ImageSource]
) -> None:
    planted = plant(save, photos.root)
    splits = stored()
    leaks = find_leaks(splits, images=images())
    assert sorted(found(leaks)) == planted
    assert [one.kind for one in leaks.findings] == sorted((k for k, *_ in planted), key=KINDS.index)
    ids = splits["test"].rows.ids
    leaking = [name for name, leaks in zip(ids, leaks.mask("test", ids), strict=True) if leaks]
    assert sorted(leaking) == sorted(second for *_, second in planted)


@pytest.mark.usefixtures("scenes")
def test_photographs_are_told_apart_and_their_copies_found(
    shared: Path, stored: Stored, save: Save, photos: Photos, images: Callable[[], ImageSource]
) -> None:
    small = shared / "data/cats_and_dogs_small"
    shutil.rmtree(photos.root)
    for split, count in (("train", 60), ("test", 40)):
        for path in sorted(small.glob(f"{split}/dogs/*"))[:count]:
            target = photos.root / split / "dogs" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    for number, path in enumerate(sorted((photos.root / "train/dogs").iterdir())[:10]):
        path.rename(path.with_name(f"{number:02d}.jpg"))
    planted = plant(save, photos.root)
    assert sorted(found(find_leaks(stored(), images=images))) == planted


@pytest.mark.usefixtures("scenes")
def test_copies_in_all_eight_orientations_are_found(
    stored: Stored, save: Save, photos: Photos, images: Callable[[], ImageSource]
) -> None:
    whole = opened(photos.root / "train/dogs/00.jpg")
    for way in Image.Transpose:
        save(whole.transpose(way).resize((150, 200)), f"test/dogs/{way.name.lower()}.jpg", quality=80)
    leaks = find_leaks(stored(), images=images)
    assert {Path(one.second.id).stem: (one.kind, one.change) for one in leaks.findings} == {
        "flip_left_right": ("mirrored", "mirrored left to right"),
        "flip_top_bottom": ("turned", "mirrored top to bottom"),
        "rotate_180": ("turned", "turned by 180 degrees"),
        "rotate_90": ("turned", "turned by 90 degrees to the left"),
        "rotate_270": ("turned", "turned by 90 degrees to the right"),
        "transpose": ("turned", "mirrored at the diagonal"),
        "transverse": ("turned", "mirrored at the other diagonal"),
    }
    assert all(one.certain and one.first.id == "train/dogs/00.jpg" for one in leaks.findings)


@pytest.mark.usefixtures("scenes")
def test_hashes_are_kept_so_images_may_go(stored: Stored, save: Save, photos: Photos) -> None:
    planted = plant(save, photos.root)
    splits = stored()
    find_leaks(splits, images=open_images(str(photos.root)))
    shutil.rmtree(photos.root)
    leaks = find_leaks(splits, images=lambda: pytest.fail("opened although every hash is known"))
    assert sorted(found(leaks)) == planted
    assert leaks.notes == (FEW_CHANNELS,)


@pytest.mark.usefixtures("scenes")
@pytest.mark.parametrize("gone", ["not given", "not opened"])
def test_without_images_the_rest_is_still_found(
    gone: str, stored: Stored, save: Save, photos: Photos, images: Callable[[], ImageSource]
) -> None:
    planted = plant(save, photos.root)
    splits = stored()
    shutil.rmtree(photos.root)
    leaks = find_leaks(splits, images=None if gone == "not given" else images)
    assert found(leaks) == [one for one in planted if one[0] == "exact"]
    assert leaks.notes[0].startswith("22 pictures were not hashed: ")


@pytest.mark.usefixtures("scenes")
def test_a_picture_that_cannot_be_hashed_is_told_and_no_more(
    stored: Stored, save: Save, photos: Photos, images: Callable[[], ImageSource]
) -> None:
    planted = plant(save, photos.root)
    splits = stored()
    (photos.root / "train/dogs/02.jpg").unlink()
    save(scene(99), "train/dogs/04.jpg", quality=90)
    leaks = find_leaks(splits, images=images)
    assert sorted(found(leaks)) == planted[:3]
    assert leaks.notes[0] == (
        "2 pictures were not hashed, e.g. train/dogs/02.jpg: it is not in the source any more"
    )
    del splits["test"]
    (note, _) = find_leaks(splits, images=images).notes
    assert "2 pictures were not hashed" in note


@pytest.mark.usefixtures("scenes")
def test_a_changed_picture_is_not_taken_for_the_old_one(
    stored: Stored, save: Save, images: Callable[[], ImageSource]
) -> None:
    splits = stored()
    save(scene(0), "test/dogs/14.jpg", quality=60)
    leaks = find_leaks(splits, images=images)
    assert leaks.findings == ()
    assert "test/dogs/14.jpg: it has changed since its features were made" in leaks.notes[0]


@pytest.mark.usefixtures("scenes")
def test_blank_pages_are_not_copies_of_one_another(
    stored: Stored, save: Save, images: Callable[[], ImageSource]
) -> None:
    for split, level in (("train", 250), ("test", 252)):
        save(Image.new("RGB", (64, 64), (level,) * 3), f"{split}/dogs/blank.png")
    leaks = find_leaks(stored(), images=images)
    assert leaks.findings == ()
    assert leaks.notes[0] == "2 pictures are too plain to be told apart by a hash"


@pytest.mark.usefixtures("scenes")
def test_only_the_kinds_that_are_asked_for_are_looked_for(stored: Stored, save: Save, photos: Photos) -> None:
    plant(save, photos.root)
    splits = stored()
    leaks = find_leaks(splits, images=lambda: pytest.fail("opened"), kinds=["exact"])
    assert {one.kind for one in leaks.findings} == {"exact"}
    only = find_leaks(splits, images=open_images(str(photos.root)), kinds=["mirrored"])
    assert [one.kind for one in only.findings] == ["mirrored"]


@pytest.mark.usefixtures("scenes")
def test_a_stricter_distance_finds_less(
    stored: Stored, save: Save, photos: Photos, images: Callable[[], ImageSource]
) -> None:
    save(opened(photos.root / "train/dogs/02.jpg"), "test/dogs/encoded.jpg", quality=5)
    splits = stored()
    (finding,) = find_leaks(splits, images=images).findings
    assert finding.value > 0
    assert find_leaks(splits, images=images, most_bits=int(finding.value) - 1).findings == ()


def test_a_source_that_fails_is_no_failure(stored: Stored, scenes: object) -> None:
    def fail() -> ImageSource:
        raise UsageError("the disk is\x1b[31m away")

    notes = find_leaks(stored(), images=fail).notes
    assert notes[0].endswith(": the images cannot be opened: the disk is\N{REPLACEMENT CHARACTER}[31m away")
