"""A base in an ONNX file with default flags, against the same file in ONNX Runtime with a Pillow loop.

python benchmarks/file_bases.py --network efficientnet_lite0.onnx --output pooled --images photos/
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bases import STEPS, peer
from inputs import add_image_option, place_images
from measuring import Contender, Pass, Row, interleave, run_process
from quiet import Watch, add_patience_option
from sitting import forget_features
from tables import RESULTS, number, write_table
from workers import extract_command

OURS, PEER = "pipeline extract, default flags", "ONNX Runtime and a Pillow loop"


def main() -> None:
    """Measures both in turn and writes ``file_bases.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_option(parser)
    parser.add_argument("--network", type=Path, required=True, help="with its preprocessing beside it")
    parser.add_argument("--output", required=True, help="the output to cut at")
    parser.add_argument("--count", type=int, default=2000, help="photographs")
    parser.add_argument("--rounds", type=int, default=3)
    add_patience_option(parser)
    parser.add_argument("--out", type=Path, default=RESULTS / "file_bases.csv")
    given = parser.parse_args()
    if given.images is None:
        parser.error("--images is needed: a folder of photographs")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        images = place_images(given.images, work / "photographs", given.count)
        command = extract_command(
            images, work / "cache", "--backbone", given.network, "--layer", given.output
        )

        def run() -> list[Pass]:
            forget_features(work / "cache")
            answer = run_process(command).answer
            ours.rows[0].note = f"{answer['engine']} {answer['precision']}"
            return [Pass(sum(answer["timings"][step] for step in STEPS))]

        ours = Contender([Row(OURS, images=given.count)], run)
        theirs = peer(
            PEER, given.count, "onnx_extract", images / "train", given.network, "--output", given.output
        )
        ours.run()  # converts the base and measures, as the first run on a machine does
        rows = interleave([ours, theirs], given.rounds, Watch(given.patience).run)
        write_table(
            given.out,
            [
                {
                    "network": given.network.name,
                    "what": row.what,
                    "images": row.images,
                    "seconds": number(row.seconds, 3),
                    "images_per_second": number(row.images / row.seconds, 1),
                    "ratio_to_onnxruntime": number(row.ratio_to(rows[1]), 2),
                    "note": row.note,
                    "others_share": number(row.others, 2),
                }
                for row in rows
            ],
        )


if __name__ == "__main__":
    main()
