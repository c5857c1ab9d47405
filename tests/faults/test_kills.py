"""Stage one, stopped at random steps of every phase: no row is lost, mixed or computed again."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_counting_steps import STAGE_ONE
from counting_engine import CountingEngine
from interrupter import STAGE, Ended, Interrupter
from photos import Photos
from PIL import Image

from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.inspection import verify_cache

SEED = 20
STOPPED = "pipeline: stopped. Whatever was finished is kept; run the same command to continue\n"
"""The line a user sees."""

Contents = dict[str, list[tuple[str, int, int, bytes, bytes]]]
Run = Callable[..., list]


def contents(cache: Path) -> Contents:
    """Reads every row of the published files: id, label, checksum, digest and features."""
    found = {}
    for path in sorted(cache.glob("*/*/*.h5")):
        layout = open_feature_file(path)
        rows = layout.rows
        assert layout.done.all()
        columns = (rows.ids, rows.labels.tolist(), layout.crc32.tolist(), rows.digests, layout.features)
        found[str(path.relative_to(cache))] = [
            (name, label, crc, digest.tobytes(), features.tobytes())
            for name, label, crc, digest, features in zip(*columns, strict=True)
        ]
    return found


def done_rows(cache: Path) -> dict[bytes, set[bytes]]:
    """Reads the features of every done row, by digest, in all files, finished or not."""
    found: dict[bytes, set[bytes]] = {}
    for path in cache.glob("*/*/*.h5*"):
        if path.suffix != ".tmp":
            layout = open_feature_file(path)
            for row in np.flatnonzero(layout.done):
                key = layout.rows.digests[row].tobytes()
                found.setdefault(key, set()).add(layout.features[row].tobytes())
    return found


def names(cache: Path) -> set[str]:
    return {str(path.relative_to(cache)) for path in cache.rglob("*")}


def by_pixels(photos: Photos) -> dict[str, bytes]:
    """Tells an image's digest by the SHA-256 of its pixels."""
    found = {}
    for path in photos.root.glob("*/*/*"):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB")).tobytes()
        found[hashlib.sha256(pixels).hexdigest()] = hashlib.sha256(path.read_bytes()).digest()
    return found


@pytest.fixture
def older(photos: Photos, run: Run, cache: Path, tmp_path: Path) -> Path:
    """A cache of an earlier state of the photographs, which have been added to, moved and removed since."""
    for split, count in (("train", 30), ("val", 10)):
        photos.add(f"{split}/cats", count)
        photos.add(f"{split}/dogs", count)
    run(precision="float32")
    older = tmp_path / "older"
    cache.rename(older)
    moved = photos.files("train")
    for path in moved[:3]:
        path.rename(photos.root / "val" / "cats" / path.name)
    for path in moved[3:5]:
        path.unlink()
    photos.add("train/cats", 12)
    photos.add("test/dogs", 9)
    for path in photos.root.glob("*/*/*"):
        os.utime(path, (1e9, 1e9))  # old enough for the stat cache, which is then killed, too
    return older


class Torture:
    """Stops stage one again and again, lets it end, and compares with a run that nothing disturbed."""

    def __init__(
        self,
        interrupter: Interrupter,
        photos: Photos,
        cache: Path,
        older: Path,
        run: Run,
        engine: CountingEngine,
    ) -> None:
        self.interrupter, self.photos, self.cache, self.older = interrupter, photos, cache, older
        self.run, self.engine = run, engine
        self.arguments = ["extract", "--data", photos.root, "--cache", cache, "--batch-size", 4, *STAGE]
        self.digests = by_pixels(photos)
        self.tally: Counter[str] = Counter()
        self.slowest = 0.0
        self.wanted: dict[Path | None, tuple[Contents, set[str]]] = {}
        for before in (older, None):
            self.start(before)
            self.interrupter.learn(self.arguments)
            self.wanted[before] = contents(cache), names(cache)

    def start(self, before: Path | None) -> None:
        shutil.rmtree(self.cache, ignore_errors=True)
        if before:
            shutil.copytree(before, self.cache)

    def stop(self, times: int, numbers: list[int]) -> None:
        """Sends so many signals, several in a row to the same cache, and checks after each."""
        chance = random.Random(SEED)  # noqa: S311 - chosen for the test, not for a secret
        phases = list(STAGE_ONE)
        sent = 0
        while sent < times:
            before = chance.choice([None, self.older])
            self.start(before)
            expected = self._expected(before)
            for _ in range(chance.randint(1, 4)):
                phase, number = phases[sent % len(phases)], numbers[sent % len(numbers)]
                kept = set(done_rows(self.cache))
                result = self.interrupter.interrupt(phase, self.arguments, chance, number)
                again = kept & {self.digests[pixels] for pixels in self.interrupter.computed}
                assert not again, f"{len(again)} done rows were computed again"
                if not result.reached:
                    break  # a run that continues has fewer steps: it has ended
                self._check(result, number, expected)
                sent += 1
                self.tally[phase] += 1
                if sent == times:
                    break
            self._finish(before)

    def _expected(self, before: Path | None) -> dict[bytes, bytes]:
        return {digest: row for rows in self.wanted[before][0].values() for *_, digest, row in rows}

    def _check(self, result: Ended, number: int, expected: dict[bytes, bytes]) -> None:
        for digest, stored in done_rows(self.cache).items():
            assert len(stored) == 1
            assert expected.get(digest) in (None, *stored)
        if number == signal.SIGKILL:
            assert result.code in (-signal.SIGKILL, 0)  # 0: the last step was a moment before the end
        elif result.code != 0:
            assert result.code == 130
            assert result.stderr.endswith(STOPPED), result.stderr
            assert "Traceback" not in result.stderr
            self.slowest = max(self.slowest, result.seconds)

    def _finish(self, before: Path | None) -> None:
        kept = set(done_rows(self.cache))
        self.engine.forget()
        self.run(precision="float32")
        assert self.engine.computed == len(set(self._expected(before)) - kept)
        rows, left = self.wanted[before]
        assert contents(self.cache) == rows
        assert names(self.cache) == left
        assert not any(finding["problem"] or finding["bad_rows"] for finding in verify_cache(self.cache))

    def figures(self) -> str:
        each = ", ".join(f"{phase} {self.tally[phase]}" for phase in STAGE_ONE)
        return (
            f"{self.tally.total()} signals ({each}): 0 rows lost, mixed or computed again, 0 files left over"
        )


@pytest.fixture
def torture(
    interrupter: Interrupter, photos: Photos, cache: Path, older: Path, run: Run, engine: CountingEngine
) -> Torture:
    return Torture(interrupter, photos, cache, older, run, engine)


@pytest.mark.parametrize("times", [5, pytest.param(100, marks=pytest.mark.torture)])
def test_kills_at_random_steps(times: int, torture: Torture, tell: Callable[[str], None]) -> None:
    torture.stop(times, [signal.SIGKILL])
    tell(torture.figures())


@pytest.mark.parametrize("times", [6, pytest.param(100, marks=pytest.mark.torture)])
def test_interrupts_at_random_steps(times: int, torture: Torture, tell: Callable[[str], None]) -> None:
    torture.stop(times, [signal.SIGTERM, signal.SIGINT])
    tell(f"{torture.figures()}; ended within {torture.slowest:.2f} s")
