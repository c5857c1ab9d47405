from __future__ import annotations

import os

import pytest
from tar_shards import write_tar

from pipeline.errors import UsageError
from pipeline.images import open_images
from pipeline.images.sources import kinds
from pipeline.images.sources._shards import cut_root, data_name, expand, split_of_shard


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("a-{0..2}.tar", ["a-0.tar", "a-1.tar", "a-2.tar"]),
        ("a-{08..10}.tar", ["a-08.tar", "a-09.tar", "a-10.tar"]),
        ("a-{8..010}.tar", ["a-008.tar", "a-009.tar", "a-010.tar"]),
        ("{2..0}", ["2", "1", "0"]),
        ("{0..6..3}", ["0", "3", "6"]),
        ("{0..1..0}", ["0", "1"]),
        ("{a,b}-{0..1}", ["a-0", "a-1", "b-0", "b-1"]),
        ("{a-{0..1},b-{00..01}}.tar", ["a-0.tar", "a-1.tar", "b-00.tar", "b-01.tar"]),
        ("{a,}.tar", ["a.tar", ".tar"]),
        ("{}{a}{a..c}{1..}", ["{}{a}{a..c}{1..}"]),
        ("{{1..2}}", ["{1}", "{2}"]),
        ("{x{a,b}", ["{xa", "{xb"]),
        ("a}b{c,d", ["a}b{c,d"]),
    ],
)
def test_braces_mean_what_they_mean_in_a_shell(pattern, names):
    assert list(expand(pattern)) == names


def test_braces_in_braces_have_an_end():
    with pytest.raises(UsageError, match="more than 16 braces"):
        list(expand("{" * 20 + "a,b" + "},c" * 19 + "}"))
    assert list(expand("{" * 3000)) == ["{" * 3000]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-000000.tar", "train"),
        ("imagenet-val-{00..07}.tar".replace("{00..07}", "07"), "val"),
        ("validation_set_3.tar", "val"),
        ("Test.tar", "test"),
        ("pets-train-00000-of-00010.tar", "train"),
        ("test/000.tar", "test"),
        ("photos-000.tar", None),
        ("trains-000.tar", None),
        ("contest-000.tar", None),
        ("latest/photos-0.tar", None),
    ],
)
def test_a_shards_name_may_state_a_split(name, split):
    assert split_of_shard(name) == split


@pytest.mark.parametrize(
    ("root", "rest", "name"),
    [
        ("/data/x", "photos-{000000..000099}.tar", "photos"),
        ("/data/x", "photos.tar", "photos"),
        ("/data/pets", "*.tar", "pets"),
        ("/data/pets", "{train,val}-{00..07}.tar", "pets"),
        ("/data/pets", "train-*.tar", "pets"),
        ("/data/pets", "{train,val}/*.tar", "pets"),
        ("/data/pets", "imagenet-{train,val}-{0..3}.tar", "imagenet"),
        ("bucket", "a-[0-9]-b.tar", "a-b"),
        ("", "*.tar", "shards"),
    ],
)
def test_the_data_set_is_named_after_its_shards_or_their_folder(root, rest, name):
    assert data_name(root, rest) == name


def test_a_pattern_is_cut_behind_the_folders_it_begins_with():
    assert cut_root("/a/b/c-{0..1}.tar", lambda path: False) == ("/a/b", "c-{0..1}.tar")
    assert cut_root("/a/{b,c}/d.tar", lambda path: False) == ("/a", "{b,c}/d.tar")
    assert cut_root("/a/[b]/d*.tar", lambda path: path == "/a/[b]") == ("/a/[b]", "d*.tar")
    assert cut_root("x.tar", lambda path: False) == ("", "x.tar")


def open_some(folder, pattern):
    return open_images(os.path.join(folder, pattern))


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(["s-2", "s-10", "s-1", "other"]):
        write_tar(tmp_path / "[x] {a,b}" / f"{name}.tar", {f"cat/{i}.png": i, f"dog/{i}.png": 10 + i})
    return tmp_path / "[x] {a,b}"


@pytest.mark.parametrize(
    ("pattern", "shards"),
    [
        ("s-*.tar", ["s-1", "s-2", "s-10"]),
        ("s-{1..2}.tar", ["s-1", "s-2"]),
        ("{s-{1..2},other}.tar", ["other", "s-1", "s-2"]),
        ("s-{2,10,2}.tar", ["s-2", "s-10"]),
        ("../*/s-[12].tar", ["[x] {a,b}/s-1", "[x] {a,b}/s-2"]),
        ("../**/s-10.tar", ["[x] {a,b}/s-10"]),
        ("{s-1.tar,s-2.tar}", ["s-1", "s-2"]),
    ],
)
def test_shards_come_in_natural_order_and_their_address_opens_them_again(folder, pattern, shards):
    source = open_some(folder, pattern)
    assert sum(kind.claims(os.path.join(folder, pattern)) for kind in kinds()) == 1
    assert list(dict.fromkeys(item.id.partition(".tar/")[0] for item in source.items())) == shards
    again = open_images(source.uri)
    assert (again.uri, again.name) == (source.uri, source.name)
    assert again.items() == source.items()


def test_a_name_that_exists_is_taken_as_it_is(tmp_path):
    write_tar(tmp_path / "a{0..1}[b]*.tar", {"cat/1.png": 1})
    assert [item.id for item in open_some(tmp_path, "a{0..1}[b]*.tar").items()] == [
        "a{0..1}[b]*.tar/cat/1.png"
    ]


@pytest.mark.parametrize(
    ("pattern", "match"),
    [
        ("none.tar", r"none\.tar does not exist: check the address"),
        ("none-*.tar", r"no file matches .*none-\*\.tar"),
        ("s-{1..4}.tar", r"names shards that do not exist \(2\): s-3\.tar, s-4\.tar"),
        ("{a,/etc/x}.tar", r"leads out of its own folder|do not exist"),
        ("s-{0..9999999999}.tar", r"means more than 1,000,000 shards"),
        ("packed.tar.gz", r"packed\.tar\.gz is compressed.*unpack it to \.tar first"),
        ("packed-{0..3}.tgz", r"is compressed"),
        ("pipe.tar", r"pipe\.tar: not a regular file"),
    ],
)
def test_what_cannot_be_found_is_refused(folder, pattern, match):
    os.mkfifo(folder / "pipe.tar")
    with pytest.raises(UsageError, match=match) as caught:
        open_some(folder, pattern)
    assert "\n" not in str(caught.value)


def test_a_folder_called_like_a_shard_is_a_folder(make_images, tmp_path):
    root = make_images(tmp_path / "x.tar", "cat/1.png", "dog/2.png")
    assert open_images(str(root)).name == "x.tar"


@pytest.mark.parametrize(("folders", "pattern"), [("", "*.tar"), ("train/", "*/*.tar")])
def test_a_folder_of_shards_says_how_to_read_them(tmp_path, folders, pattern):
    write_tar(tmp_path / f"{folders}0.tar", {"cat/1.png": 1})
    with pytest.raises(UsageError) as caught:
        open_images(str(tmp_path))
    assert str(caught.value).endswith(f"; to read the tar files there, give '{tmp_path}/{pattern}'")
    assert len(open_images(str(tmp_path / pattern)).items()) == 1
