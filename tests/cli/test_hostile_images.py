"""The whole corpus of hostile images through ``pipeline extract``, once, as a user would."""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import peak_memory
import pytest
from hostile_images import EDGE, Hostile, add_traps, bombs, corpus, encode, picture, write_corpus

from pipeline.cache import open_features
from pipeline.cache.entries import read_entry
from pipeline.cache.inspection import verify_cache
from pipeline.images.sources._words import printable

TIMEOUT_S = 120
BOMB_LIMIT_KIB = 30 * 1024
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")

Completed = subprocess.CompletedProcess[str]


def extract(root: Path, cache: Path, *more: str, **options: object) -> Completed:
    command = [sys.executable, "-m", "pipeline", "extract", "--data", str(root), "--cache", str(cache)]
    command += ["--backbone", "pixels", "--image-size", str(EDGE), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, **options)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus in one class of two, whose name is hostile, too."""
    root = tmp_path_factory.mktemp("hostile") / "images"
    folder = root / "train" / "<b>\n\x1b[31m"
    write_corpus(folder, list(corpus()))
    write_corpus(root / "train" / "plain", [Hostile("a.png", encode(picture(7, 7)))])
    write_corpus(root / "val" / "plain", [Hostile("b.png", encode(picture(6, 7)))])
    add_traps(folder, root, root.parent / "outside")
    return root


@pytest.fixture(scope="module")
def extracted(root: Path) -> tuple[Completed, Path]:
    cache = root.parent / "cache"
    return extract(root, cache, "--skip-bad", "--json"), cache


def test_every_file_has_its_pixels_or_a_listed_reason(root: Path, extracted: tuple[Completed, Path]) -> None:
    result, cache = extracted
    assert result.returncode == 0, result.stderr
    described = json.loads(result.stdout)
    assert not verify_bad(cache)
    features = open_features(read_entry(Path(described["entry"])), "train")
    position = {name: row for row, name in enumerate(features.rows.ids)}
    reasons = {failure["id"]: failure["reason"] for failure in described["skipped"]}
    prefix = "train/<b>\n\x1b[31m/"
    for file in corpus():
        name = printable(prefix + file.name)
        if file.reason:
            assert re.search(file.reason, reasons.pop(name)), name
            assert name not in position
        else:
            (pixels,) = features.read(np.array([position.pop(name)]))
            if file.pixels is not None:
                difference = np.abs(pixels.astype(int) - file.pixels.astype(int))
                assert difference.max() <= (16 if b"JFIF" in file.content[:20] else 2), (
                    name,
                    difference.max(),
                )
                assert difference.mean() <= 2, name
    assert reasons == {}
    assert list(position) == ["train/plain/a.png"]
    files = list(corpus())
    bad = sum(bool(file.reason) for file in files)
    print(f"{len(files)} hostile images: {len(files) - bad} decoded right, {bad} refused with a reason")


def verify_bad(cache: Path) -> list[dict]:
    return [finding for finding in verify_cache(cache) if finding["problem"] or finding["bad_rows"]]


def test_what_is_said_is_lines_that_steer_no_terminal(root: Path, extracted: tuple[Completed, Path]) -> None:
    result, cache = extracted
    for said in (result, extract(root, cache), extract(root, cache, "--skip-bad")):
        assert not CONTROL.search(said.stdout), said.stdout
        assert not CONTROL.search(said.stderr.replace("\n", " ")), said.stderr
        assert "Traceback" not in said.stderr
    assert "left out links back up (" in result.stderr


def test_without_skip_bad_the_split_is_held_back(root: Path, tmp_path: Path) -> None:
    result = extract(root, tmp_path / "cache", "--json")
    assert result.returncode == 3
    assert "images could not be read, so train is not published" in result.stderr
    described = json.loads(result.stdout)
    assert len(described["failures"]) == sum(bool(file.reason) for file in corpus())
    assert described["splits"]["val"]["computed"] == 1


def test_bombs_take_no_memory(tmp_path: Path) -> None:
    files = [file for file in corpus() if file.name.startswith("bomb")]
    assert len(files) > len(bombs())
    write_corpus(tmp_path / "train" / "a", files)
    script = (
        f"import sys; sys.path.insert(0, {os.path.dirname(peak_memory.__file__)!r})\n"
        "from pathlib import Path\n"
        "from peak_memory import peak_kib\n"
        "from pipeline.images.decode import DecodeError, decode\n"
        "before = peak_kib()\n"
        "for path in Path(sys.argv[1]).iterdir():\n"
        "    try:\n"
        "        decode(path.read_bytes(), 32)\n"
        "    except DecodeError:\n"
        "        continue\n"
        "    sys.exit(f'{path} was decoded')\n"
        "print(peak_kib() - before)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "train" / "a")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert result.returncode == 0, result.stderr
    print(f"{len(files)} bombs: {int(result.stdout):,} KiB more memory at most")
    assert int(result.stdout) < BOMB_LIMIT_KIB


def _drop_privileges() -> None:
    # As root no permission counts, unless the two capabilities that override them are gone at exec.
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    root = tmp_path / "images"
    for split, number in (("train", 0), ("train", 1), ("val", 2)):
        write_corpus(root / split / "a", [Hostile(f"{number}.png", encode(picture(5 + number, 5)))])
    locked = root / "train" / "a" / "1.png"
    locked.chmod(0)
    options = {} if os.geteuid() else {"preexec_fn": _drop_privileges}
    result = extract(root, tmp_path / "cache", "--skip-bad", "--json", **options)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["skipped"] == [{"id": "train/a/1.png", "reason": "Permission denied"}]
    assert json.loads(result.stdout)["splits"]["train"]["rows"] == 1


def test_a_folder_of_pipes_alone_never_hangs(tmp_path: Path) -> None:
    folder = tmp_path / "images" / "train" / "a"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "a.png")
    result = extract(tmp_path / "images", tmp_path / "cache")
    assert result.returncode == 2
    assert "holds no images" in result.stderr
    table = tmp_path / "table.csv"
    table.write_text(f"path,label,split\n{folder / 'a.png'},a,train\n/dev/zero,a,train\n")
    result = extract(table, tmp_path / "cache")
    assert result.returncode == 3
    assert "a.png: not a regular file" in result.stderr
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2**21
