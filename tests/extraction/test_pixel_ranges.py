"""The range of a set everywhere that its pictures are decoded, found once and remembered."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deep_image_sets import write_set
from PIL import Image

from pipeline.cache import open_features
from pipeline.cache.entries import read_entry
from pipeline.cache.features import Selection
from pipeline.evaluation.leaks.hashes import picture_hash
from pipeline.evaluation.page.pictures import Album
from pipeline.extraction import Extraction, FeatureRequest, extract
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.calibration import QuantisedNetwork
from pipeline.extraction.command import extract_command
from pipeline.extraction.load import Loader
from pipeline.heads import train_head
from pipeline.images import contents, open_images
from pipeline.images.decode import decode
from pipeline.images.manifest import scan
from pipeline.images.pixel_range import PixelRange
from pipeline.images.resizing import CYKOOZ, find_resize
from pipeline.memory import ShortageError
from pipeline.serving import Predictor, gather_images
from pipeline.serving.export._sampling import sample_rows
from pipeline.serving.web.thumbnails import SIDE, Thumbnails

REQUEST = FeatureRequest(backbone="pixels", image_size=16)
TWELVE = PixelRange(0, 4095)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve bits in 16-bit files."""
    return write_set(tmp_path / "set", "10 twelve bits")


@pytest.fixture
def extraction(data: Path, cache: Path) -> Extraction:
    """The features of that set."""
    (found,) = extract(str(data), REQUEST, cache=cache)
    return found


def expected(path: Path) -> np.ndarray:
    """Decodes a file by the range of its set, and resizes it as new features are."""
    return decode(path.read_bytes(), 16, TWELVE, find_resize(CYKOOZ))


def test_rows_are_those_of_the_range_which_is_part_of_the_spec(extraction: Extraction, data: Path) -> None:
    assert extraction.entry.spec.pixel_range == "0..4095"
    assert read_entry(extraction.entry.folder).spec == extraction.entry.spec
    for split in extraction.entry.splits:
        features = open_features(extraction.entry, split)
        for name, row in zip(features.rows.ids, features.to_memory(), strict=True):
            np.testing.assert_array_equal(row, expected(data / name))
            assert len(np.unique(row)) > 20  # a sixteenth of them is left without a range


def test_a_second_run_decodes_nothing(
    extraction: Extraction, data: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decoded(*_: object) -> None:
        raise AssertionError("a picture was decoded")

    monkeypatch.setattr(contents, "extremes_of", decoded)
    monkeypatch.setattr("pipeline.images.formats.deep.deep_samples", decoded)
    (again,) = extract(str(data), REQUEST, cache=cache)
    assert again.entry == extraction.entry
    assert again.pixels == extraction.pixels
    assert again.computed == 0


def test_what_cannot_be_decoded_for_want_of_memory_is_not_remembered(
    data: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_images(str(data))
    look = contents.extremes_of

    def no_memory(content: bytes) -> object:
        if content == (data / "pos" / "3.png").read_bytes():
            raise MemoryError
        return look(content)

    monkeypatch.setattr(contents, "extremes_of", no_memory)
    with pytest.raises(ShortageError, match=r"cannot read 'pos/3\.png': the memory does not suffice"):
        scan(source, cache / "digests")
    monkeypatch.setattr(contents, "extremes_of", look)
    manifest = scan(source, cache / "digests")
    assert not manifest.unreadable
    assert len(manifest.census) == 24


def test_a_picture_that_cannot_be_decoded_does_not_count(data: Path, cache: Path) -> None:
    broken = data / "pos" / "3.png"
    broken.write_bytes(broken.read_bytes()[:200])
    for _ in range(2):
        (found,) = extract(str(data), REQUEST, cache=cache)
        assert found.pixels.images == 23
        assert [failure.id for failure in found.failures] == ["pos/3.png"]


def test_features_made_before_ranges_were_kept_stay_readable_and_are_another_entry(
    extraction: Extraction, data: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = replace(extraction.entry.spec, pixel_range="")
    old = replace(extraction.entry, folder=extraction.entry.folder.with_name(spec.entry_name), spec=spec)
    old.save()
    assert "pixel_range" not in (old.folder / "spec.json").read_text()
    assert read_entry(old.folder).spec == spec
    for path in extraction.entry.folder.iterdir():
        path.unlink()
    extraction.entry.folder.rmdir()
    (again,) = extract(str(data), REQUEST, cache=cache)
    assert again.computed == 24
    assert (
        "were made with no pixel range, its pictures now have the pixel range 0..4095"
        in capsys.readouterr().err
    )


def test_the_command_that_brings_an_entry_up_to_date_keeps_its_range(extraction: Extraction) -> None:
    assert "--pixel-range 0..4095" in extract_command([extraction.entry])


def test_views_are_made_of_pixels_in_the_range(data: Path, cache: Path) -> None:
    mirrored = Augmentation(rotation=0, width_shift=0, height_shift=0, shear=0, zoom=0, flip=True)
    (found,) = extract(str(data), replace(REQUEST, views=3, augmentation=mirrored), cache=cache)
    features = open_features(found.entry, "train")
    for name, row in zip(features.rows.ids, features.to_memory(), strict=True):
        plain = expected(data / name)
        assert np.array_equal(row, plain) or np.array_equal(row, plain[:, ::-1])


def test_predict_gives_the_rows_of_stage_one_bit_for_bit(
    extraction: Extraction, data: Path, tmp_path: Path
) -> None:
    selection = Selection((extraction.entry,))
    head = train_head("prototype", selection.open("train"), None, runs=tmp_path / "runs")
    predictor = Predictor(selection, head)
    features = selection.open("train")
    stored = dict(zip(features.rows.ids, features.to_memory(), strict=True))
    paths = [data / name for name in stored]
    answers = list(predictor.answer(gather_images(paths)))
    assert len(answers) == len(stored)
    for answer, row in zip(answers, stored.values(), strict=True):
        np.testing.assert_array_equal(answer.features, row)
        assert answer.remark == ""


def test_a_worker_elsewhere_decodes_alike(data: Path) -> None:
    source = open_images(str(data))
    items = source.items()
    loader = Loader(
        source=source,
        items=items,
        digests=None,
        views=np.zeros(len(items), np.uint8),
        augmentation=Augmentation(),
        image_size=16,
        batch_size=4,
        resize=CYKOOZ,
        pixel_range=TWELVE,
    )
    sent = pickle.loads(pickle.dumps(loader)).load(np.arange(4))  # noqa: S301 - as Ray does
    for item, picture in zip(items[:4], sent.images, strict=True):
        np.testing.assert_array_equal(picture, expected(item.path))
    assert not sent.remarks


def test_int8_ranges_are_set_with_pixels_in_the_range(
    extraction: Extraction, data: Path, tmp_path: Path
) -> None:
    manifest = scan(open_images(str(data)))
    rows = manifest.splits["train"].digests[:2]
    network = QuantisedNetwork(
        parent=tmp_path,
        spec=extraction.entry.spec.network,
        digests=tuple(row.tobytes().hex() for row in rows),
    )
    wanted = [expected(data / manifest.items["train"][i].id) for i in range(2)]
    np.testing.assert_array_equal(network.images(manifest), wanted)


def test_pictures_are_shown_in_the_range(extraction: Extraction, data: Path) -> None:
    features = open_features(extraction.entry, "train")
    name = features.rows.ids[0]
    content = (data / name).read_bytes()
    wanted = decode(content, SIDE, TWELVE)
    album = Album(open_images(str(data)), {}, extraction.entry.spec)
    np.testing.assert_array_equal(album.read([name], size=SIDE)[name], wanted)
    with Image.open(io.BytesIO(Thumbnails(extraction.entry, features.rows).draw(0))) as drawn:
        assert np.abs(np.asarray(drawn).astype(int) - wanted).mean() < 3


def test_an_export_is_checked_on_pixels_in_the_range(
    extraction: Extraction, data: Path, tmp_path: Path
) -> None:
    selection = Selection((extraction.entry,))
    head = train_head("prototype", selection.open("train"), None, runs=tmp_path / "runs")
    sample = sample_rows(head, selection.open("train"), open_images(str(data)), count=3)
    rows = selection.open("train").to_memory()
    assert all(any(np.array_equal(image, row) for row in rows) for image in sample.images)


def test_copies_are_found_whatever_the_depth(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    light = Image.fromarray(random.integers(0, 256, (12, 16), np.uint8)).resize((64, 48))
    plain = np.asarray(light)
    hashes = {
        picture_hash(pixels)
        for pixels in (
            plain,
            plain * np.uint16(257),
            plain * np.uint16(16),
            plain.astype(np.float32),
            plain / 255,
        )
    }
    assert len(hashes) <= 2  # rounding turns the sign of a coefficient near 0
    assert b"" not in hashes


@pytest.mark.parametrize("pixel_range", ["0..4095", "-1024..3071"])
def test_a_request_keeps_a_stated_range_in_one_spelling(pixel_range: str) -> None:
    spelt = pixel_range.replace("..", ".0..") + ".0"
    assert FeatureRequest(pixel_range=spelt) == FeatureRequest(pixel_range=pixel_range)
