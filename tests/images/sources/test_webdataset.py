from __future__ import annotations

import json
import os
import pickle
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tar_shards import png, settle, write_tar

from pipeline.errors import UsageError
from pipeline.images import UNLABELLED, open_images
from pipeline.images.manifest import scan
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources import webdataset
from pipeline.images.sources._storage import LocalStorage

CLASSES_FIRST = [("cat", "train"), ("cat", "test"), ("dog", "train"), ("dog", "test")]


class Here:
    """Shards on this machine."""

    def __init__(self, tmp_path):
        self.root = tmp_path / "shards"

    def put(self, **shards):
        for name, members in shards.items():
            settle(write_tar(self.root / f"{name.replace('_', '-')}.tar", members))

    def write(self, name, content):
        (self.root / name).write_bytes(content)

    def open(self, pattern="*.tar"):
        return open_images(f"{self.root}/{pattern}")

    def notes(self, source):
        return source.notes


class There(Here):
    """The same shards in a store of fsspec."""

    def __init__(self, tmp_path):
        super().__init__(tmp_path)
        self.files = pytest.importorskip("fsspec").filesystem("memory")
        self.folder = f"/{tmp_path.name}/shards"

    def put(self, **shards):
        super().put(**shards)
        for path in self.root.glob("*.tar"):
            self.files.pipe(f"{self.folder}/{path.name}", path.read_bytes())

    def write(self, name, content):
        self.files.pipe(f"{self.folder}/{name}", content)

    def open(self, pattern="*.tar"):
        return open_images(f"memory://{self.folder}/{pattern}")

    def notes(self, source):
        others = tuple(note for note in source.notes if "states no version of" not in note)
        assert len(others) == len(source.notes) - 1
        return others


@pytest.fixture(params=[Here, There], ids=["local", "memory"])
def place(request, tmp_path):
    return request.param(tmp_path)


def labels(source):
    return {
        item.id: None if item.label == UNLABELLED else source.classes[item.label] for item in source.items()
    }


def digests(rows):
    return {name: row.tobytes() for name, row in zip(rows.ids, rows.digests, strict=True)}


def test_images_are_listed_in_the_order_of_shards_and_members_and_read(place):
    place.put(p_10={"b.png": 1, "b.cls": "dog", "a.png": 2, "a.cls": "cat"}, p_9={"z.jpg": 3, "z.cls": "dog"})
    source = place.open()
    assert labels(source) == {
        "p-9.tar/z.jpg": "dog",
        "p-10.tar/b.png": "dog",
        "p-10.tar/a.png": "cat",
    }
    assert list(labels(source)) == ["p-9.tar/z.jpg", "p-10.tar/b.png", "p-10.tar/a.png"]
    assert source.classes == ("cat", "dog")
    assert (source.name, place.notes(source)) == ("shards", ())
    assert [source.read(item) for item in source.items()] == [png(3), png(1), png(2)]


def test_classes_and_splits_of_json(place):
    about = {"label": "cat", "split": "validation", "group": 17, "caption": "a cat", "boxes": [1]}
    other = {"label": 3, "class": "dog", "split": "train"}
    place.put(p={"1.json": json.dumps(about), "1.png": 1, "2.jpeg": 2, "2.json": json.dumps(other)})
    source = place.open()
    assert labels(source) == {"p.tar/1.png": "cat", "p.tar/2.jpeg": "dog"}
    assert [(item.split, item.group) for item in source.items()] == [("val", "17"), ("train", None)]


def test_cls_comes_before_json_and_json_may_say_nothing(place):
    place.put(p={"1.cls": "cat", "1.png": 1, "1.json": '{"label": "dog", "group": "g"}', "1.txt": "x"})
    assert labels(place.open()) == {"p.tar/1.png": "cat"}
    assert place.open().items()[0].group == "g"
    place.put(p={"1.png": 1, "1.json": "[1, 2]", "2.png": 2, "2.json": '{"label": null}'})
    assert labels(place.open()) == {"p.tar/1.png": None, "p.tar/2.png": None}


def test_numbers_are_classes_in_natural_order(place):
    place.put(
        p={f"{i}.{kind}": i if kind == "png" else f"{i}\n" for i in (10, 9, 2) for kind in ("png", "cls")}
    )
    source = place.open()
    assert source.classes == ("2", "9", "10")
    assert labels(source) == {"p.tar/10.png": "10", "p.tar/9.png": "9", "p.tar/2.png": "2"}


def test_numbers_get_the_names_beside_the_shards(place):
    place.put(p={"1.png": 1, "1.cls": "2", "2.png": 2, "2.cls": "00", "3.png": 3, "3.cls": "-1"})
    place.write("classes.txt", b"\xef\xbb\xbfzebra\r\nhorse\r\ncat\r\n\r\n")
    source = place.open()
    assert source.classes == ("cat", "zebra")
    assert labels(source) == {"p.tar/1.png": "cat", "p.tar/2.png": "zebra", "p.tar/3.png": None}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"a\nb", r"'1\.png'|'1\.cls'.* has the class 2, but classes\.txt has 2 lines"),
        (b"a\nb\na", r"classes\.txt, line 3: 'a' is line 1 already"),
        (b"a\n\nb", r"classes\.txt, line 2: no class name"),
        (b"\xff\xfe", r"classes\.txt is not UTF-8"),
    ],
)
def test_names_that_do_not_fit_are_refused(place, content, match):
    place.put(p={"1.png": 1, "1.cls": "2"})
    place.write("classes.txt", content)
    with pytest.raises(UsageError, match=match):
        place.open()


@pytest.mark.parametrize("wrap", ["", "./", "/", "photos/", "./my/photos/"])
def test_a_tarred_folder_means_what_the_folder_means(place, wrap, make_images, tmp_path):
    folders = ["train/cat", "train/dog", "test/cat", "test/dog"]
    paths = [f"{folder}/{folder[-3:]}.{i}.png" for folder in folders for i in (0, 1)]
    root = make_images(tmp_path / "folder", *paths)
    place.put(p={wrap + path: (root / path).read_bytes() for path in sorted(paths)})
    here, packed = open_images(str(root)), place.open()
    assert packed.classes == here.classes
    prefix = f"p.tar/{wrap.removeprefix('./').removeprefix('/')}"
    assert sorted((i.id, i.label, i.split) for i in packed.items()) == sorted(
        (prefix + i.id, i.label, i.split) for i in here.items()
    )
    in_here, in_packed = scan(here), scan(packed)
    for split, rows in in_here.splits.items():
        assert set(digests(rows).values()) == set(digests(in_packed.splits[split]).values())


def test_content_chooses_splits_as_in_a_folder(place, make_images, tmp_path):
    paths = [f"{kind}/{i}.png" for kind in ("cat", "dog") for i in range(20)]
    root = make_images(tmp_path / "folder", *paths)
    content = {path: (root / path).read_bytes() for path in paths}
    place.put(p_0=dict(list(content.items())[::2]), p_1=dict(list(content.items())[1::2]))
    packed, here = scan(place.open()), scan(open_images(str(root)))
    for split, rows in here.splits.items():
        assert sorted(name.partition("/")[2] for name in packed.splits[split].ids) == sorted(rows.ids)


def test_names_of_shards_state_splits_and_bare_shards_are_unlabelled(place):
    place.put(
        pets_train_0={"1.png": 1, "1.cls": "cat"},
        pets_train_1={"1.png": 2, "1.cls": "dog"},
        pets_test_0={"x/1.png": 3},
    )
    source = place.open("pets-{train-{0..1},test-0}.tar")
    assert {item.id: item.split for item in source.items()} == {
        "pets-test-0.tar/x/1.png": "test",
        "pets-train-0.tar/1.png": "train",
        "pets-train-1.tar/1.png": "train",
    }
    assert labels(source)["pets-test-0.tar/x/1.png"] is None
    assert place.notes(source) == ("no labels in pets-test-0.tar",)
    assert source.name == "pets"


def test_further_fields_and_other_files_are_passed_over_and_counted(place):
    place.put(
        p={
            "1.png": 1,
            "1.mask.png": 2,
            "1.npy": "x",
            "1.txt": "a caption",
            "._1.png": 3,
            "__MACOSX/1.png": 4,
            "../2.png": 5,
            "2.left.png": 6,
            "2.right.png": 7,
            "3.npy": "x",
            "4.json": '{"width": 3}',
        }
    )
    source = place.open()
    assert list(labels(source)) == ["p.tar/1.png", "p.tar/2.left.png", "p.tar/2.right.png"]
    assert place.notes(source) == (
        "images of one sample are a group of one split (1 sample): p.tar/2.left.png, p.tar/2.right.png",
    )
    assert {one.line for one in source.left_out} == {
        "left out further images of samples (1): p.tar/1.mask.png",
        "left out files that are no images (3): p.tar/._1.png, p.tar/1.npy, p.tar/3.npy",
        "left out files in folders of the system (1): p.tar/__MACOSX/1.png",
        "left out members with impossible names (1): p.tar/../2.png",
    }


def groups(source):
    return {item.id.removeprefix("p.tar/"): item.group for item in source.items()}


def test_several_images_of_a_sample_are_one_group(place):
    place.put(
        p={
            **{"a/1.left.png": 1, "a/1.right.png": 2, "a/2.png": 3, "a/3.png": 4, "a/3.jpg": 5},
            **{"a/4.left.png": 6, "a/4.right.png": 7, "b/1.left.png": 8},
        }
    )
    assert groups(place.open()) == {
        **{"a/1.left.png": "p.tar/a/1", "a/1.right.png": "p.tar/a/1", "a/2.png": None},
        **{"a/3.png": "p.tar/a/3", "a/3.jpg": "p.tar/a/3"},
        **{"a/4.left.png": "p.tar/a/4", "a/4.right.png": "p.tar/a/4", "b/1.left.png": None},
    }


def test_numbered_images_are_a_group_where_the_sample_has_a_label(place):
    place.put(p={"1.0.png": 1, "1.1.png": 2, "1.cls": "a", "2.0.png": 3, "2.cls": "b"})
    assert groups(place.open()) == {"1.0.png": "p.tar/1", "1.1.png": "p.tar/1", "2.0.png": None}
    about = json.dumps({"label": "a", "group": "patient 7"})
    place.put(p={"1.0.png": 1, "1.1.png": 2, "1.json": about})
    assert set(groups(place.open()).values()) == {"patient 7"}


@pytest.mark.parametrize(
    "members",
    [
        {f"{kind}/{kind}.{i}.png": 4 * i + len(kind) for kind in ("cat", "bird") for i in range(4)},
        {"1.0.png": 1, "1.0.cls": "a", "1.1.png": 2, "1.1.cls": "b"},
    ],
)
def test_numbers_after_the_dot_alone_make_no_group(place, members):
    place.put(p=members)
    source = place.open()
    assert set(groups(source).values()) == {None}
    assert any("stand each for itself" in note for note in place.notes(source))


def test_masks_among_samples_are_told_and_left_out(place):
    place.put(p={f"a/{i}{mask}.png": 2 * i + bool(mask) for i in range(3) for mask in ("", "_mask")})
    assert any("--leave-out '*_mask.*'" in note for note in place.notes(place.open()))
    source = open_images(f"{place.root}/p.tar", SourceOptions(leave_out=("*_mask.png",)))
    assert list(groups(source)) == [f"a/{i}.png" for i in range(3)]
    assert [one.count for one in source.left_out] == [3]


@pytest.mark.parametrize("name", ["a/photo", "a/photo.dat", "a/photo.7"])
def test_an_image_without_a_telling_suffix_is_taken(place, name):
    place.put(p={"a/1.png": 1, name: 2, "a/notes": "no image"})
    source = place.open()
    assert list(groups(source)) == ["a/1.png", name]
    assert [one.line for one in source.left_out] == ["left out files that are no images (1): p.tar/a/notes"]


def test_classes_with_split_folders_in_a_tarred_folder(place):
    place.put(p={f"{kind}/{split}/1.png": i for i, (kind, split) in enumerate(CLASSES_FIRST)})
    source = place.open()
    assert source.classes == ("cat", "dog")
    assert [(source.classes[item.label], item.split) for item in source.items()] == CLASSES_FIRST
    place.put(p={"cat/train/1.png": 1, "cat/test/1.png": 2, "dog/1.png": 3})
    with pytest.raises(UsageError, match=r"'dog/1\.png' is in no split folder of its class"):
        place.open()


@pytest.mark.parametrize(
    ("shards", "match"),
    [
        (
            {"p": {"1.png": 1, "1.cls": "a", "2.png": 2}},
            r"p\.tar: '2\.png' has no label, but '1\.png' has one",
        ),
        (
            {"p": {"1.cls": "a", "2.cls": "b", "1.png": 1, "2.png": 2}},
            r"p\.tar: '1\.cls' stands apart.*'1\.png'",
        ),
        (
            {"p": {"1.png": 1, "1.cls": "a"}, "q": {"1.png": 2, "1.cls": "3"}},
            r"^p\.tar: '1\.png' has the class 'a', but '1\.png' in q\.tar has the number 3",
        ),
        ({"p": {"cat/1.png": 1, "2.png": 2}}, r"^p\.tar: '2\.png' is in no class folder"),
        ({"p": {"train/a/1.png": 1}, "q": {"a/2.png": 2}}, r"^q\.tar: 'a/2\.png' is in no split folder"),
        (
            {"train_0": {"1.png": 1}, "more_0": {"1.png": 2}},
            r"name of train-0\.tar states a split, that of more-0\.tar none",
        ),
        ({"train_0": {"test/a/1.png": 1}}, r"^train-0\.tar: 'test/a/1\.png' is said to be in train and in"),
        ({"p": {"./1.png": 1, "1.png": 2}}, r"'1\.png' stands in it 2 times"),
        ({"p": {"readme.md": "x"}}, r"holds no images"),
    ],
)
def test_mixed_conventions_are_refused_with_shard_and_member(place, shards, match):
    place.put(**shards)
    with pytest.raises(UsageError, match=match) as caught:
        place.open()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "content", "match"),
    [
        ("cls", "", "holds no class or group"),
        ("cls", "a\nb", "holds no class or group"),
        ("cls", b"\xff", "is not UTF-8"),
        ("cls", "x" * 5000, "has 5,000 bytes, more than 4,096"),
        ("json", "{", "is not JSON"),
        ("json", "[" * 100_000, "is not JSON"),
        ("json", '{"label": %s}' % ("9" * 5000), "is not JSON"),
        ("json", '{"label": [[1]]}', "has a label that is neither text nor a whole number"),
        ("json", '{"label": true}', "has a label that is neither"),
        ("json", '{"class": "\\ud800"}', r"is not JSON \(it holds half of a surrogate pair"),
        ("json", '{"group": "a\\u0000b"}', "holds no class or group"),
        ("json", '{"split": "dev"}', "has the unknown split 'dev': choose from train"),
    ],
)
def test_a_label_that_cannot_be_understood_is_refused(place, kind, content, match):
    place.put(p={"1.png": 1, f"1.{kind}": content})
    with pytest.raises(UsageError, match=rf"p\.tar: '1\.{kind}' {match}") as caught:
        place.open()
    assert "\n" not in str(caught.value)


def count_reads(source, monkeypatch):
    reads = []
    kind = type(source.place.storage)
    read = kind.read
    monkeypatch.setattr(
        kind, "read", lambda self, shard, at, size: reads.append(size) or read(self, shard, at, size)
    )
    return reads


def test_unchanged_shards_are_not_read_again_under_any_pattern(tmp_path, trusted_disk, monkeypatch):
    place = Here(tmp_path)
    place.put(**{f"p_{i}": {"cat/1.png": i, "dog/2.png": 9 + i} for i in range(3)})
    cache = tmp_path / "digests.sqlite"
    first = scan(place.open("p-{0..1}.tar"), cache)
    again = place.open("p-*.tar")
    reads = count_reads(again, monkeypatch)
    manifest = scan(again, cache)
    assert len(reads) == 2
    known = {name: digest for rows in first.splits.values() for name, digest in digests(rows).items()}
    found = {name: digest for rows in manifest.splits.values() for name, digest in digests(rows).items()}
    assert (len(known), len(found)) == (4, 6)
    assert known.items() <= found.items()


def test_a_changed_shard_is_read_again_and_a_fresh_one_is_not_relied_on(tmp_path, trusted_disk, monkeypatch):
    place = Here(tmp_path)
    place.put(p={"cat/1.png": 1}, q={"dog/1.png": 2})
    cache = tmp_path / "digests.sqlite"
    scan(place.open(), cache)
    write_tar(place.root / "p.tar", {"cat/1.png": 3})  # of the same length, at the same place
    source = place.open()
    reads = count_reads(source, monkeypatch)
    for expected in (1, 2, 3):
        manifest = scan(source, cache)
        assert len(reads) == expected
    assert {bytes(row) for rows in manifest.splits.values() for row in rows.digests} == {
        bytes(row) for rows in scan(source).splits.values() for row in rows.digests
    }


def test_a_shard_that_changes_after_it_was_listed_is_not_read(tmp_path):
    place = Here(tmp_path)
    place.put(p={"cat/1.png": 1}, q={"dog/1.png": 2})
    source = place.open()
    first, second = source.items()
    assert source.read(first) == png(1)
    os.utime(place.root / "p.tar")
    with pytest.raises(OSError, match=r"p\.tar has changed since it was listed"):
        source.read(first)
    (place.root / "q.tar").unlink()
    settle(place.root / "p.tar")
    elsewhere = pickle.loads(pickle.dumps(source))  # noqa: S301 - without open files
    assert [(bad.id, bad.reason) for bad in scan(elsewhere).unreadable] == [
        (second.id, "No such file or directory")
    ]


def test_a_source_can_be_sent_to_another_process(place):
    place.put(p={"cat/1.png": 1, "dog/2.png": 2})
    source = place.open()
    assert source.read(source.items()[0]) == png(1)
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301 - made on the line itself
    assert [copy.read(item) for item in copy.items()] == [png(1), png(2)]


def test_threads_share_more_shards_than_are_kept_open(tmp_path):
    place = Here(tmp_path)
    place.put(**{f"p_{i}": {"cat/1.png": i} for i in range(40)})
    source = place.open()
    start = threading.Barrier(4)

    def read(_):
        start.wait()
        return [source.read(item) for item in source.items()]

    with ThreadPoolExecutor(4) as pool:
        assert all(found == [png(i) for i in range(40)] for found in pool.map(read, range(4)))
    assert isinstance(source.place.storage, LocalStorage)
    opened = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    assert 0 < sum(path.startswith(str(tmp_path)) for path in opened) <= 16


def test_an_image_beyond_the_limit_is_not_read(place, monkeypatch):
    place.put(p={"cat/1.png": 1})
    monkeypatch.setattr(webdataset, "MAX_BYTES", 10)
    source = place.open()
    with pytest.raises(OSError, match="bytes are more than the limit of 10"):
        source.read(source.items()[0])


def test_links_and_devices_are_not_followed(tmp_path):
    path = tmp_path / "p.tar"
    (tmp_path / "1.png").write_bytes(png(1))
    with tarfile.open(path, "w") as tar:
        tar.add(tmp_path / "1.png", "cat/1.png")
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"cat/{kind.decode()}.png")
            info.type, info.linkname = kind, "1.png"
            tar.addfile(info)
        tar.add(tmp_path / "1.png", "dog/1.png")
    source = open_images(str(path))
    assert list(labels(source)) == ["p.tar/cat/1.png", "p.tar/dog/1.png"]
    (left_out,) = source.left_out
    assert (left_out.what, left_out.count) == ("links, devices and sparse files", 4)
