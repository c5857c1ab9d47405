"""Filters as constants of the graph against variables: what the Keras engine gains for each kind of base.

python benchmarks/constant_filters.py
python benchmarks/constant_filters.py --backbone resnet50 --rounds 7
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from measuring import Contender, Pass, Row, interleave
from tables import RESULTS, number, write_table

from pipeline.backbones.loading import load_backbone
from pipeline.backbones.table import Cut, find_backbone
from pipeline.backbones.weights import resolve_weights
from pipeline.extraction.engines.keras import KerasEngine, precisions

BASES = ("vgg16", "mobilenet_v2", "resnet50")
KINDS = {"variables": False, "constants": True}
BATCHES = 4


def main() -> None:
    """Measures and writes ``constant_filters.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", action="append", metavar="NAME", help=f"default: {', '.join(BASES)}")
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "constant_filters.csv")
    given = parser.parse_args()
    shape = (given.batch, given.size, given.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    table = []
    for backbone in given.backbone or BASES:
        for precision in precisions():
            table += compare(backbone, precision, images, given.rounds)
    write_table(given.out, table)


def compare(backbone: str, precision: str, images: np.ndarray, rounds: int) -> list[dict[str, object]]:
    """Measures one base in one arithmetic both ways, in turn; returns a row of the table for each."""
    size = images.shape[1]
    model = load_backbone(
        backbone,
        [Cut(find_backbone(backbone, size).layer)],
        weights=resolve_weights(backbone, "random", size),
        image_size=size,
        precision=precision,
    )
    contenders = []
    for kind, constants in KINDS.items():
        engine = KerasEngine(model, store="float32", constants=constants)
        run(engine, images)
        row = Row(f"{backbone} with filters as {kind}", precision, len(images), len(images) * BATCHES)
        contenders.append(Contender([row], lambda engine=engine: [run(engine, images)]))
    rows = interleave(contenders, rounds, lambda once: once())
    return [
        {
            "what": row.what,
            "arithmetic": precision,
            "images_per_second": number(row.images / row.seconds, 1),
            "ratio_to_variables": number(row.ratio_to(rows[0]), 3),
        }
        for row in rows
    ]


def run(engine: KerasEngine, images: np.ndarray) -> Pass:
    """Passes a few batches through the base."""
    started = time.perf_counter()
    for _ in range(BATCHES):
        engine.fetch(engine.submit(images))
    return Pass(time.perf_counter() - started)


if __name__ == "__main__":
    main()
