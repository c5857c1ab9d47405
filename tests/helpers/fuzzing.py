"""Fuzzing: good files with bytes changed at random, read many times in a test or for minutes in a process.

``python fuzzing.py decode|open|shard SECONDS SEED FILE...`` mutates the files and prints what came of it. A
case that crashes the process, takes longer than ``CASE_S``, or ends in any other way than it may, stands in
the working folder as ``case``.
"""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from peak_memory import peak_kib

from pipeline.cache.feature_file import open_feature_file
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.images import open_images
from pipeline.images.decode import DecodeError, decode
from pipeline.images.resizing import RESIZES, find_resize

SECONDS = float(os.environ.get("FUZZ_SECONDS", "600"))
CASE_S = 60
CASE = Path("case")
SHARD = Path("case.tar")
INTERESTING = np.array([0, 1, 2, 7, 8, 16, 31, 32, 63, 64, 127, 128, 200, 254, 255], np.uint8)


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """Changes, removes, repeats or inserts a few bytes."""
    data = np.frombuffer(content, np.uint8).copy()
    for _ in range(int(random.integers(1, 8))):
        # Headers are where sizes and types stand: half of all changes go there.
        end = len(data) if random.random() < 0.5 else min(len(data), 256)
        at, length = int(random.integers(0, max(end, 1))), int(random.integers(1, 9))
        match random.integers(0, 6):
            case 0:
                data[at : at + 1] ^= np.uint8(1 << random.integers(0, 8))
            case 1:
                data[at : at + 1] = random.integers(0, 256)
            case 2:
                data[at : at + length] = random.choice(INTERESTING)
            case 3:
                data = np.delete(data, slice(at, at + length))
            case 4:
                data = np.insert(data, at, data[at : at + length])
            case 5 if random.random() < 0.2:
                data = data[:at]
        if not len(data):
            return b""
    return data.tobytes()


def check_decode(content: bytes) -> str:
    """Decodes; returns ``decoded`` or ``refused``, and lets nothing else pass."""
    try:
        pixels = decode(content, 32, resize=find_resize(RESIZES[0]))
    except DecodeError as error:
        return _refused(error)
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    return "decoded"


def check_open(content: bytes) -> str:
    """Opens a feature file and reads a row; returns ``opened`` or ``refused``, and lets nothing else pass."""
    CASE.write_bytes(content)
    try:
        layout = open_feature_file(CASE)
    except CacheMismatchError as error:
        return _refused(error)
    assert np.asarray(layout.features[:1]).nbytes < len(content)
    return "opened"


def check_shard(content: bytes) -> str:
    """Lists a tar shard and reads its images; returns ``listed`` or ``refused``, lets nothing else pass."""
    SHARD.write_bytes(_with_checksums(content))
    try:
        source = open_images(str(SHARD))
    except UsageError as error:
        return _refused(error)
    for item in source.items():
        assert ".." not in item.id.split("/")
        assert len(source.read(item)) <= len(content)
    return "listed"


def _with_checksums(content: bytes) -> bytes:
    """Makes the checksums of a tar file's headers right again, or nothing behind them would be tried."""
    blocks = [content[at : at + 512] for at in range(0, len(content), 512)]
    for number, block in enumerate(blocks):
        if block[257:262] == b"ustar" and len(block) == 512:
            total = sum(block[:148]) + sum(block[156:]) + 8 * ord(" ")
            blocks[number] = block[:148] + f"{total:06o}\0 ".encode() + block[156:]
    return b"".join(blocks)


def _refused(error: Exception) -> str:
    assert str(error)
    assert "\n" not in str(error)
    return "refused"


CHECKS: dict[str, Callable[[bytes], str]] = {"decode": check_decode, "open": check_open, "shard": check_shard}


def try_mutations(check: Callable[[bytes], str], good: Sequence[bytes], *, examples: int) -> Counter[str]:
    """Counts what becomes of changed files.

    Args:
        check: Says how it took one.
        good: Sound files.
        examples: How many are changed.
    """
    # Not at the top: the process that fuzzes for minutes needs none of it.
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**32))
    def mutate(seed: int) -> None:
        random = np.random.default_rng(seed)
        outcomes[check(mutated(good[seed % len(good)], random))] += 1

    mutate()
    print(f"{outcomes.total()} mutated files: {dict(outcomes)}")
    return outcomes


def try_for_minutes(mode: str, good: Sequence[bytes], folder: Path) -> int:
    """Changes files for ``FUZZ_SECONDS`` in a process of its own, and returns its peak memory in MiB.

    Args:
        mode: ``decode``, ``open`` or ``shard``.
        good: Sound files.
        folder: Where the case that did harm is left.
    """
    for number, content in enumerate(good):
        (folder / f"{number}.seed").write_bytes(content)
    files = [str(path) for path in sorted(folder.glob("*.seed"))]
    command = [sys.executable, __file__, mode, str(SECONDS), "1", *files]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS + 120, check=False, cwd=folder
    )
    assert result.returncode == 0, f"{folder / 'case'}: {result.stderr[-2000:]}"
    print(result.stdout.strip())
    return int(result.stdout.split()[-2])


def main(what: str, seconds: float, seed: int, files: list[Path]) -> None:
    """Fuzzes until time is up, then prints cases and the peak of the memory."""
    random, seeds = np.random.default_rng(seed), [path.read_bytes() for path in files]
    outcomes = Counter[str]()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        content = mutated(seeds[random.integers(len(seeds))], random)
        CASE.write_bytes(content)
        faulthandler.dump_traceback_later(CASE_S, exit=True)
        outcomes[CHECKS[what](content)] += 1
        faulthandler.cancel_dump_traceback_later()
    peak = peak_kib() // 1024
    print(f"{outcomes.total()} cases of {what}: {dict(outcomes)}, peak {peak} MiB")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), [Path(name) for name in sys.argv[4:]])
