"""Tar files as they should not be: nothing crashes, hangs, takes much memory or is lost without a word."""

from __future__ import annotations

import os
import subprocess
import tarfile
import tracemalloc
from collections import Counter
from pathlib import Path

import fuzzing
import numpy as np
import pytest
from fuzzing import try_for_minutes, try_mutations
from tar_shards import member, png, raw_tar, write_tar

from pipeline.errors import UsageError
from pipeline.images import open_images
from pipeline.images.manifest import scan
from pipeline.images.sources._tar import Window, read_header, walk_tar

MEMORY_MIB = 400
CAT, DOG = member("cat/1.png", 1), member("dog/2.png", 2)


def walk(content, length=4096):
    window = Window(lambda at, size: content[at : at + size], len(content), smallest=length, largest=length)
    return list(walk_tar(window, "x.tar"))


def long_header(kind, content, *, size=None):
    info, data = member("././@LongLink", content, type=kind)
    header = raw_tar((info, data), closed=False)
    if size is None:
        return header
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT) + header[512:]


def pax(**records):
    lines = b""
    for key, value in records.items():
        text = value if isinstance(value, bytes) else str(value).encode()
        body = b" " + key.replace("__", ".").encode() + b"=" + text + b"\n"
        length = len(body) + 1
        while len(str(length)) + len(body) != length:
            length += 1
        lines += str(length).encode() + body
    return long_header(tarfile.XHDTYPE, lines)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_where_tarfile_finds_them(form, tmp_path):
    names = ["a.png", "x/" * 40 + "b.png", "é/ü.png"]
    names += [] if form == tarfile.USTAR_FORMAT else ["deep/" * 80 + "c.png", "日本/" * 60 + "d.png"]
    path = write_tar(tmp_path / "x.tar", {name: i for i, name in enumerate(names)}, format=form)
    with tarfile.open(path) as tar:
        expected = [(info.name, info.offset_data, info.size, info.isreg()) for info in tar]
    assert walk(path.read_bytes()) == expected
    assert [name for name, *_ in expected] == names


GNU_OPTIONS = ["--format=gnu", "--format=pax", "--format=ustar", "--format=v7", "-S", "-S --format=pax"]


@pytest.mark.parametrize("options", GNU_OPTIONS)
def test_members_are_where_gnu_tar_puts_them(options, tmp_path):
    root = tmp_path / "photos"
    (root / "cat").mkdir(parents=True)
    (root / "cat" / "1.png").write_bytes(png(1))
    with open(root / "cat" / "0-hole.png", "wb") as file:
        for at in range(0, 40 << 16, 1 << 16):
            file.seek(at)
            file.write(b"x" * 4096)
        file.truncate(50 << 16)
    os.symlink("1.png", root / "cat" / "2.png")
    command = ["tar", "--sort=name", *options.split(), "-C", str(root), "-cf", str(tmp_path / "x.tar"), "."]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no GNU tar")
    source = open_images(str(tmp_path / "x.tar"))
    contents = {item.id: source.read(item) for item in source.items()}
    assert contents.pop("x.tar/cat/1.png") == png(1)
    if "-S" in options:
        assert contents == {}
        (left_out,) = source.left_out
        assert left_out.line == (
            "left out links, devices and sparse files (2): x.tar/cat/0-hole.png, x.tar/cat/2.png"
        )
    else:
        assert contents == {"x.tar/cat/0-hole.png": (root / "cat" / "0-hole.png").read_bytes()}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (raw_tar(CAT, DOG, closed=False), r"cut off: at byte 2,048 a tar file ends with an empty block"),
        (raw_tar(CAT, DOG)[:1100], r"cut off: at byte 1,024 a tar file ends with an empty block"),
        (raw_tar(CAT, DOG)[:1600], r"cut off: at byte 1,024 'dog/2\.png' promises \d+ bytes.*at byte 1,600"),
        (b"", r"cut off: at byte 0"),
        (b"\x1f\x8b" + bytes(600), r"is compressed with gzip: unpack it"),
        (png(1) * 9, r"no sound tar file at byte 0: "),
        (raw_tar(CAT) + bytes(9000) + raw_tar(DOG), r"at byte 1,024: more follows behind its end"),
        (raw_tar(CAT, b"x" * 512, DOG), r"no sound tar file at byte 1,024: a number in a header is damaged"),
        (long_header(b"L", "x", size=2**30), r"at byte 0: an extended header of 1,073,741,824 bytes"),
        (long_header(b"x", "x", size=2**20), r"cut off: at byte 0 an extended header promises 1,048,576"),
        (long_header(b"x", b"99 path=x\n") + raw_tar(CAT), r"at byte 0: a damaged pax header"),
        (long_header(b"x", b"-5 path=x\n") + raw_tar(CAT), r"at byte 0: a damaged pax header"),
        (long_header(b"x", b"0 path=x\n") + raw_tar(CAT), r"at byte 0: a damaged pax header"),
        (long_header(b"x", b"999999999999999999999 a=b\n") + raw_tar(CAT), r"a damaged pax header"),
        (pax(size=b"1e9") + raw_tar(CAT), r"a damaged size in a pax header"),
        (pax(size="9" * 19) + raw_tar(CAT), r"cut off: at byte 1,024 'cat/1\.png' promises 9,999"),
        (raw_tar(member("a.png", b"", size=2**60)), r"cut off: at byte 0 'a\.png' promises 1,152,9"),
        (raw_tar(member("a.png", b"", size=-512)), r"at byte 0: a number in a header is damaged"),
        (raw_tar(member("a\nb.png", b"", size=2**40)), r"'a\\\\nb\.png' promises"),
        (long_header(b"L", "x") * 3, r"cut off: at byte 3,072"),
    ],
)  # fmt: skip
def test_a_damaged_shard_is_refused_with_its_name_and_the_offset(content, match, tmp_path):
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(UsageError, match=rf"^{tmp_path}/x\.tar .*{match}") as caught:
        open_images(str(tmp_path / "x.tar"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_headers_are_read_as_tarfile_reads_them(form):
    random, names = np.random.default_rng(0), ["a.png", "x/" * 60 + "b.png", "é" * 40]
    outcomes = Counter()
    for name in names:
        info = tarfile.TarInfo(name)
        for info.size in (0, 1, 511, 2**33 - 1):
            block = info.tobuf(form)[-tarfile.BLOCKSIZE :]
            for _ in range(200):
                changed = bytearray(block)
                at = int(random.integers(0, 512))
                changed[at] ^= 1 << int(random.integers(0, 8))
                # Half of all changes are let through by the checksum.
                fields = bytes(changed[:148]) + bytes(8) + bytes(changed[156:])
                if at not in range(148, 156) and random.random() < 0.5:
                    changed[148:156] = f"{sum(fields) + 256:06o}\0 ".encode()
                outcomes[_compare(bytes(changed))] += 1
            assert _compare(block) == "read"
    assert min(outcomes["read"], outcomes["refused"]) > 100


def _compare(block):
    """Reads a header in both ways: what both read is the same."""
    try:
        header = read_header(block)
    except ValueError:
        return "refused"
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return "more than tarfile reads"  # a damaged time or owner is no trouble
    assert (header.size, header.kind) == (info.size, info.type)
    if block[257:263] == b"ustar\0":  # tarfile looks for the prefix whatever the format
        assert info.name in (header.name, header.name.rstrip("/"))
    return "read"


def test_every_cut_is_noticed(tmp_path):
    path = write_tar(tmp_path / "x.tar", {f"cat/{i}.png": i for i in range(3)})
    whole = path.read_bytes()
    end = len(raw_tar(*(member(f"cat/{i}.png", i) for i in range(3)), closed=False))
    for length in [*range(0, end + 512, 64)]:
        with pytest.raises(UsageError):
            walk(whole[:length])
    assert len(walk(whole[: end + 512])) == 3


def test_chains_of_extended_headers_neither_overflow_nor_pile_up():
    content = (long_header(b"L", "a.png") + pax(path="b.png") + long_header(b"K", "c")) * 5000 + raw_tar(CAT)
    assert [found.name for found in walk(content)] == ["b.png"]


def test_a_name_that_is_not_its_own_is_not_kept_for_the_next():
    content = pax(path="cat/9.png") + raw_tar(CAT, DOG)
    assert [found.name for found in walk(content)] == ["cat/9.png", "dog/2.png"]


def test_a_promise_of_terabytes_takes_no_memory(tmp_path):
    path = tmp_path / "x.tar"
    info, _ = member("cat/1.png", b"", size=2**42)
    with open(path, "wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(2**42 + 1024)  # a hole: it takes no room on the disk
    tracemalloc.start()
    source = open_images(str(path))
    with pytest.raises(OSError, match="4,398,046,511,104 bytes are more than the limit"):
        source.read(source.items()[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


HOSTILE = {
    "../../out.png": None,
    "/etc/../x.png": None,
    "/abs/cat/1.png": "abs/cat/1.png",
    "./././abs/cat/2.png": "abs/cat/2.png",
    "abs//cat///3.png": "abs/cat/3.png",
    "abs/cat/new\nline.png": "abs/cat/new\nline.png",
    "abs/cat/\x1b[31mred.png": "abs/cat/\x1b[31mred.png",
    "abs/cat/\udcff.png": "abs/cat/\\xff.png",
    "..": None,
    "": None,
    "x" * 5000 + ".png": None,
}


def test_names_lead_nowhere(tmp_path):
    members = {name: i for i, name in enumerate(HOSTILE)}
    path = write_tar(tmp_path / "x.tar", members, format=tarfile.GNU_FORMAT)
    source = open_images(str(path))
    assert [item.id for item in source.items()] == [f"x.tar/{name}" for name in HOSTILE.values() if name]
    assert all("\n" not in note for note in source.notes)
    assert not scan(source).unreadable
    assert os.listdir(tmp_path) == ["x.tar"]


def test_a_zero_byte_in_a_name_is_passed_over(tmp_path):
    (tmp_path / "x.tar").write_bytes(pax(path=b"cat/a\0b.png") + raw_tar(CAT, DOG))
    assert [item.id for item in open_images(str(tmp_path / "x.tar")).items()] == ["x.tar/dog/2.png"]


def test_a_window_reads_ahead_where_that_spares_requests():
    requests = []
    content = np.random.default_rng(0).bytes(2**22)

    def read(at, size):
        requests.append((at, size))
        return content[at : at + size]

    window = Window(read, len(content), smallest=2**10, largest=2**12)
    for at in range(0, 2**15, 512):
        assert window.read(at, 512) == content[at : at + 512]
    assert requests[:4] == [(0, 1024), (1024, 2048), (3072, 4096), (7168, 4096)]
    assert window.read(2**21, 512) == content[2**21 : 2**21 + 512]
    assert requests[-1] == (2**21, 1024)
    assert window.read(len(content) - 100, 512) == content[-100:]
    assert window.read(len(content), 512) == b""
    assert window.read(0, 2**20) == content[: 2**20]


def seeds() -> list[bytes]:
    """Small shards of each kind."""
    samples = {"1.cls": "cat", "1.png": b"123", "2.json": '{"label": "dog", "split": "val"}', "2.png": b"4"}
    return [
        raw_tar(*(member(name, content) for name, content in samples.items())),
        raw_tar(CAT, DOG),
        pax(path="train/cat/1.png", size=600) + raw_tar(member("x", bytes(600))),
        long_header(b"L", "test/cat/" + "x" * 150 + ".png") + raw_tar(DOG),
        pax(GNU__sparse__map="0,1", GNU__sparse__name="cat/1.png") + raw_tar(CAT, DOG),
    ]


def test_a_mutated_shard_is_listed_or_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcomes = try_mutations(fuzzing.check_shard, seeds(), examples=1000)
    assert min(outcomes["listed"], outcomes["refused"]) > 100


@pytest.mark.torture
def test_mutated_shards_for_minutes(tmp_path: Path) -> None:
    assert try_for_minutes("shard", seeds(), tmp_path) < MEMORY_MIB
