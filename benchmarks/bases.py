"""Stage one as it comes, on the bases that people use, against modern Keras, the course method and PyTorch.

python benchmarks/bases.py
python benchmarks/bases.py --images photos/ --bases mobilenet_v2 resnet50 --rounds 3
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from inputs import add_image_option, photograph, place_images
from measuring import Contender, Pass, Row, interleave, run_process, tell
from PIL import Image
from quiet import Watch, add_patience_option
from sitting import COURSE_BATCH, forget_features
from tables import RESULTS, markdown, number, read_table, replace_between_marks, write_table
from workers import extract_command, peer_command

from pipeline.backbones.table import BACKBONES
from pipeline.extraction.fastest import FEW_ROWS
from pipeline.hardware import has_bfloat16

MARK = "bases"
DEFAULT, MODERN, COURSE = "pipeline extract, default flags", "modern Keras", "course method"
STEPS = ("stock", "measure", "copy", "fill")
"""What counts: not the start of libraries, nor the loading of the base, which the peers are given as well."""
FULL_SIZE = (500, 375)


@dataclass(frozen=True)
class Base:
    """A base as people use it.

    Attributes:
        name: A row of the backbone table.
        size: Height and width in pixels.
        count: Photographs; enough for some seconds of work.
        pooling: As ``--pooling``.
        store: As ``--store``: random filters of a deep base may give numbers beyond float16.
    """

    name: str
    size: int
    count: int
    pooling: str = "avg"
    store: str = "float16"


BASES = (
    Base("vgg16", 150, 1280, "none"),
    Base("mobilenet_v2", 224, 8000),
    Base("resnet50", 224, 1280, store="float32"),
    Base("efficientnet_v2_b0", 224, 3200),
    Base("convnext_tiny", 224, 1000),
)


def main() -> None:
    """Measures base after base, each with all its ways in turn, and writes ``bases.csv`` and a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_option(parser)
    names = [base.name for base in BASES]
    parser.add_argument(
        "--bases", nargs="+", choices=names, default=names, help="which; rows of others stay in the table"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="times the images of each base")
    add_patience_option(parser)
    parser.add_argument("--out", type=Path, default=RESULTS / "bases.csv")
    parser.add_argument("--readme", type=Path, help="file whose table between marks is renewed")
    given = parser.parse_args()
    found: list[Mapping[str, object]] = []
    others = [row for row in read_table(given.out) if row["backbone"] not in given.bases]
    for base in (one for one in BASES if one.name in given.bases):
        tell(f"== {base.name} at {base.size} px")
        count = max(FEW_ROWS, int(base.count * given.scale))
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            source = given.images or make_photographs(work / "made", min(count, 200))
            images = place_images(source, work / "photographs", count)
            found += measure(base, images, work, count, given.rounds, Watch(given.patience))
        write_table(given.out, [*found, *others])
    if given.readme:
        replace_between_marks(given.readme, MARK, summary(given.out))


def make_photographs(folder: Path, count: int) -> Path:
    """Makes JPEG files of 500 x 375 pixels, or the other way round."""
    folder.mkdir()
    for seed in range(count):
        size = FULL_SIZE if seed % 3 else FULL_SIZE[::-1]
        with Image.open(io.BytesIO(photograph(seed))) as picture:
            picture.resize(size, Image.Resampling.BICUBIC).save(folder / f"{seed}.jpg", quality=88)
    return folder


def measure(
    base: Base, images: Path, work: Path, count: int, rounds: int, watch: Watch
) -> list[dict[str, object]]:
    """Measures every way with one base."""
    extracts = [
        Extract(DEFAULT, base, images, work, count, []),
        Extract("--engine keras", base, images, work, count, ["--engine", "keras"]),
        Extract("--engine openvino", base, images, work, count, ["--engine", "openvino"]),
    ]
    peers = [
        peer(MODERN, count, "modern_keras", images / "train", "--backbone", BACKBONES[base.name].factory,
             "--size", base.size, "--pooling", base.pooling),
        peer(COURSE, count, "course", images / "train", "--backbone", BACKBONES[base.name].factory,
             "--size", base.size, "--count", count // COURSE_BATCH * COURSE_BATCH, "--batch", COURSE_BATCH),
        *(
            peer(f"PyTorch, {precision}", count, "torch_extract", images / "train", "--backbone", base.name,
                 "--size", base.size, "--pooling", base.pooling, "--precision", precision)
            for precision in ("float32", *["bfloat16"] * has_bfloat16())
        ),
    ]  # fmt: skip
    for extract in extracts:  # converts the base and measures, as the first run on a machine does
        extract.run()
    able = [one for one in peers if not one.rows[0].note]
    rows = interleave([*(one.contender for one in extracts), *able], rounds, watch.run)
    rows += [one.rows[0] for one in peers if one not in able]
    modern = next(row for row in rows if row.what == MODERN)
    bounds = {one.contender.rows[0].what: one.bound for one in extracts}
    return [
        {
            "backbone": base.name,
            "size": base.size,
            "what": row.what,
            "images": row.images,
            "seconds": number(row.seconds if row.passes else None, 3),
            "images_per_second": number(row.images / row.seconds if row.passes else None, 1),
            "ratio_to_modern_keras": number(row.ratio_to(modern), 2),
            "ratio_to_bound": number(bounds.get(row.what), 3),
            "note": row.note,
            "others_share": number(row.others, 2),
        }
        for row in rows
    ]


class Extract:
    """The real command in a fresh process, on a cache that has its base and measurements, but no features.

    Attributes:
        contender: To be measured.
        shares: In each run, which part of what is possible it reached.
    """

    def __init__(
        self, what: str, base: Base, images: Path, work: Path, count: int, options: list[str]
    ) -> None:
        self._cache = work / "cache"
        self._command = extract_command(
            images, self._cache, "--backbone", base.name, "--weights", "random", "--image-size", base.size,
            "--pooling", base.pooling, "--store", base.store, *options,
        )  # fmt: skip
        self.shares: list[float] = []
        self.contender = Contender([Row(what, images=count)], self.run)

    def run(self) -> list[Pass]:
        """Runs the command once."""
        forget_features(self._cache)
        answer: dict[str, Any] = run_process(self._command).answer
        if answer["bound"]:
            self.shares.append(answer["bound"]["share"])
        self.contender.rows[0].note = f"{answer['engine']} {answer['precision']}"
        return [Pass(sum(answer["timings"][step] for step in STEPS))]

    @property
    def bound(self) -> float | None:
        """Median share of what is possible."""
        return float(np.median(self.shares)) if self.shares else None


def peer(what: str, count: int, script: str, *arguments: object) -> Contender:
    """Measures a script of ``peers/`` in a fresh process; what cannot run here says why, once."""
    row, command = Row(what, images=count), peer_command(script, *arguments)
    row.note = run_process(command).answer.get("note", "")
    return Contender([row], lambda: [Pass(**run_process(command).answer)])


def summary(results: Path) -> str:
    """Returns the table of ratios for the README: a row for each base, a column for each way."""
    rows = read_table(results)
    ways = list(dict.fromkeys(row["what"] for row in rows if row["images_per_second"]))
    by_base: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        by_base.setdefault(f"{row['backbone']} @{row['size']}", {})[row["what"]] = row
    cells = [
        (name, *(of_way.get(way, {}).get("ratio_to_modern_keras") or "-" for way in ways))
        for name, of_way in by_base.items()
    ]
    table = markdown(["base", *ways], cells)
    shares = [
        f"{name} {of_way[DEFAULT]['ratio_to_bound']}"
        for name, of_way in by_base.items()
        if of_way[DEFAULT]["ratio_to_bound"]
    ]
    if shares:
        table += f"\n\nDefault flags reach of what is possible on the machine: {', '.join(shares)}."
    caption = f"Images per second, as a ratio to modern Keras; {rows[0]['machine']}; {rows[0]['date']}."
    return f"{table}\n\n{caption}"


if __name__ == "__main__":
    main()
