from __future__ import annotations

import os
import pickle
import tracemalloc

import numpy as np
import pytest

from pipeline.images import packed_strings
from pipeline.images.packed_strings import Categorical, PackedStrings, repeated

WORDS = ["a/1.png", "", "ü", "caf\udce9", "日本", "line\nfeed", "\U0001f600", "a/1.png", "nul\0inside"]


def travel(sequence):
    """Sends a sequence to another process and back."""
    return pickle.loads(pickle.dumps(sequence))  # noqa: S301 - made on the line itself


def coded(words):
    names = sorted(set(words))
    return Categorical(np.array([names.index(word) for word in words], np.int8), names)


@pytest.fixture(params=["packed", "packed in shards", "coded"])
def make(request, monkeypatch):
    """Makes a lazy sequence of texts in one of its kinds."""
    if request.param == "coded":
        return coded
    monkeypatch.setattr(
        packed_strings, "SHARD", 4 if request.param == "packed in shards" else packed_strings.SHARD
    )
    return PackedStrings.of


def test_they_are_equal_to_a_list_of_them(make):
    packed = make(WORDS)
    assert packed == WORDS
    assert packed == WORDS
    assert list(packed) == [packed[i] for i in range(len(packed))] == WORDS
    assert [packed[i] for i in range(-len(WORDS), 0)] == WORDS
    assert packed == make(WORDS)
    assert packed != WORDS[:-1]
    assert packed != [*WORDS[:-1], "another"]
    assert packed.index("日本") == 4
    assert "ü" in packed
    assert "ö" not in packed


def test_none_at_all(make):
    assert make([]) == []
    assert make([])[:0] == make([]).take(np.array([], int)) == travel(make([])) == []


def test_positions_out_of_bounds_are_refused(make):
    packed = make(WORDS)
    for position in (len(WORDS), -len(WORDS) - 1):
        with pytest.raises(IndexError, match=rf"position {position} of {len(WORDS)}"):
            packed[position]
        with pytest.raises(IndexError):
            packed.take(np.array([position]))


INDICES = [
    slice(None),
    slice(2, 5),
    slice(None, None, -1),
    slice(-1, 0, -3),
    [3],
    [3, 4, 5],
    [5, 3, 3, 0],
    [-1, 0, -9],
    range(2, 5),
    range(8, 0, -3),
    range(-3, 1),
    range(4, 4),
    [True, False] * 4 + [True],
    [False] * 9,
]


@pytest.mark.parametrize("index", INDICES, ids=str)
@pytest.mark.parametrize("first", INDICES, ids=str)
def test_parts_and_parts_of_parts_are_those_of_an_array(first, index, make):
    part, expected = make(WORDS)[first], np.array(WORDS, object)[first]
    assert part == list(expected)
    if isinstance(index, slice) or np.array(index).dtype != bool:
        index = index if isinstance(index, slice) else [i % max(len(part), 1) for i in index if len(part)]
        index = index if isinstance(index, slice) else np.array(index, int)
        assert part[index] == list(expected[index])
        assert list(reversed(part[index])) == list(expected[index])[::-1]
        assert travel(part[index]) == list(expected[index])


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int32, np.uint64])
def test_integers_of_any_kind_are_positions(kind, make):
    assert make(WORDS)[kind(2)] == WORDS[2]
    assert make(WORDS)[np.array([8, 0], kind)] == [WORDS[8], WORDS[0]]


def test_a_part_is_pickled_without_the_rest(make):
    packed = make([f"{i:0200}" for i in range(100)])
    for part in (packed[7:9], packed[[80, 3]]):
        assert len(pickle.dumps(part)) < 2000
        assert travel(part) == list(part)


def test_bytes_that_are_no_text_come_back_as_they_were():
    names = [b"caf\xe9", b"\xff\xfe", "é".encode()]
    packed = PackedStrings.of_encoded(names)
    assert packed == [os.fsdecode(name) for name in names]
    assert list(packed.encoded()) == names


def test_an_empty_code_stands_for_an_empty_text():
    few = Categorical(np.array([1, -1, 0], np.int8), ("x", "y"))
    assert few == ["y", "", "x"]
    assert travel(few[[1, 0]]) == ["", "y"]


def test_equal_codes_take_no_memory():
    few = Categorical(np.broadcast_to(np.int8(-1), 10**12), ())
    assert few[10**11] == ""
    assert len(few[5:]) == 10**12 - 5
    assert len(pickle.dumps(few[:1000])) < 1000


def test_they_take_little_more_than_their_bytes():
    count = 20_000
    tracemalloc.start()
    packed = PackedStrings.of(f"train/cats/{i:09}.jpg" for i in range(count))
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    length = len("train/cats/000000000.jpg")
    assert len(packed) == count
    assert kept < count * (length + 5)
    assert peak < count * (3 * length + 20)


def test_repeated_ones_are_found(make):
    words = [*"abcabd", "", "x", ""]
    packed = PackedStrings.of(words)
    assert repeated(packed) == [0, 1, 3, 4, 6, 8]
    assert repeated(packed[2:5]) == repeated(PackedStrings.of([])) == []


def test_texts_of_equal_hashes_are_told_apart(monkeypatch):
    monkeypatch.setattr("pipeline.images.packed_strings.hash", lambda text: len(text), raising=False)
    assert repeated(PackedStrings.of(["aa", "b", "bb", "ccc", "aa", "d"])) == [0, 4]


@pytest.mark.parametrize("lengths", [[8], [4, 8, 3], [4, 3, 4], [0, 4], [4, 0, 5], [0, 0], [3, 8]], ids=str)
@pytest.mark.parametrize("part", [slice(None), slice(1, None)], ids=["whole", "parts"])
def test_several_can_be_joined(lengths, part, monkeypatch):
    monkeypatch.setattr(packed_strings, "SHARD", 4)
    lists = [[f"ü{number} {i}" for i in range(length)] for number, length in enumerate(lengths)]
    packed = [PackedStrings.of(words) for words in lists]
    joined = PackedStrings.joined([one[part] for one in packed])
    expected = [word for words in lists for word in words[part]]
    assert joined == expected
    assert travel(joined) == expected
    assert joined[::-1] == expected[::-1]
    if lengths == [4, 8, 3] and part == slice(None):
        assert joined.packs[0] is packed[0].packs[0]
