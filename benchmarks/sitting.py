"""One sitting: the same images, base, size and batch for everything that is measured in it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from measuring import Contender, Pass, Row, run_process
from workers import Worker, extract_command, peer_command

from pipeline.backbones.table import BACKBONES

COURSE = "course method, end to end"
OWN_FORWARD = "own forward alone"
COURSE_BATCH = 20
STAGE_STEPS = ("stock", "copy", "fill")


@dataclass(frozen=True)
class Sitting:
    """What all contenders are given.

    Attributes:
        images: Folder of photographs, all of which stage one extracts.
        work: Folder for caches and exported bases.
        backbone: A row of the backbone table.
        weights: Where the filters come from.
        size: Height and width in pixels.
        batch: Images in a forward pass.
        count: Images in the folder.
    """

    images: Path
    work: Path
    backbone: str
    weights: str
    size: int
    batch: int
    count: int

    @property
    def cache(self) -> Path:
        """Where stage one writes."""
        return self.work / "cache"

    @property
    def base(self) -> list[object]:
        """Options that say which base."""
        return ["--backbone", self.backbone, "--weights", self.weights]

    def worker(self, script: str, *arguments: object) -> Worker:
        """Starts a peer that runs the forward pass alone, on all images."""
        return Worker(
            script, *arguments, self.images, "--size", self.size, "--batch", self.batch, "--count", self.count
        )

    def forward(self, what: str, worker: Worker) -> list[Contender]:
        """Measures every arithmetic that a peer offers."""
        return [
            Contender([Row(what, name, self.batch, self.count)], lambda name=name: [worker.run(name)])
            for name in worker.passes
        ]

    def extract(self, what: str, arithmetic: str, *options: object) -> Contender:
        """Measures the real command in a fresh process, which starts from an empty cache."""
        command = extract_command(
            self.images, self.cache, *self.base, "--image-size", self.size, "--batch-size", self.batch,
            "--precision", arithmetic, *options,
        )  # fmt: skip

        def run() -> list[Pass]:
            forget_features(self.cache)
            ended = run_process(command)
            stage = sum(ended.answer["timings"][step] for step in STAGE_STEPS)
            return [Pass(stage), Pass(ended.seconds, ended.cpu_seconds)]

        rows = [
            Row(f"{what}, end to end", arithmetic, self.batch, self.count),
            Row(f"{what}, whole command with its start", arithmetic, self.batch, self.count),
        ]
        return Contender(rows, run)

    def course(self) -> Contender:
        """Measures the course method in a fresh process."""
        command = peer_command(
            "course", self.images / "train", "--backbone", BACKBONES[self.backbone].factory,
            "--size", self.size, "--count", self.count, "--batch", COURSE_BATCH,
        )  # fmt: skip

        def run() -> list[Pass]:
            ended = run_process(command)
            return [Pass(**ended.answer), Pass(ended.seconds, ended.cpu_seconds)]

        rows = [
            Row(COURSE, "float32", COURSE_BATCH, self.count),
            Row("course method, whole script with its start", "float32", COURSE_BATCH, self.count),
        ]
        return Contender(rows, run)

    def without(self, part: str, arithmetic: str, shape: Sequence[int]) -> Contender:
        """Measures stage one without its base (what decoding and the cache sustain) or without its disk."""
        command = peer_command(
            "extract_without", part, self.images, self.cache, *self.base, "--size", self.size,
            "--batch", self.batch, "--precision", arithmetic, "--shape", *shape,
        )  # fmt: skip

        def run() -> list[Pass]:
            forget_features(self.cache)
            timings = run_process(command).answer["timings"]
            return [Pass(sum(timings[step] for step in STAGE_STEPS))]

        name = {"base": "pipeline with a null base", "disk": "pipeline with a null disk"}[part]
        row = Row(name, "" if part == "base" else arithmetic, self.batch, self.count)
        return Contender([row], run)


def forget_features(cache: Path) -> None:
    """Empties a cache of all but quantised networks, which are made once for a data set."""
    for path in cache.glob("*/*/spec.json"):
        shutil.rmtree(path.parent)
    for path in cache.glob(".digests*"):
        path.unlink()
