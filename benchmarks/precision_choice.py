"""What ``--precision auto`` chooses, against each single precision, for a base where it is a close call.

python benchmarks/precision_choice.py
python benchmarks/precision_choice.py --backbone mobilenet_v2 --weights FILE --rounds 7
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from inputs import add_image_option, place_images
from measuring import interleave, run_process, tell
from quiet import Watch, add_patience_option
from sitting import OWN_FORWARD, Sitting
from tables import RESULTS, number, write_table
from workers import extract_command


def main() -> None:
    """Measures and writes ``precision_choice.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_option(parser)
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--weights", default="random")
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--count", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=5)
    add_patience_option(parser)
    parser.add_argument("--out", type=Path, default=RESULTS / "precision_choice.csv")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        images = place_images(given.images, work / "photographs", given.count)
        sitting = Sitting(images, work, given.backbone, given.weights, given.size, given.batch, given.count)
        command = extract_command(
            images,
            work / "choice",
            *sitting.base,
            "--image-size",
            given.size,
            "--batch-size",
            given.batch,
            "--engine",
            "keras",
        )
        chosen = run_process(command).answer["precision"]
        tell(f"auto chose {chosen}")
        with sitting.worker("engine_forward", "keras", sitting.cache, *sitting.base) as own:
            rows = interleave(sitting.forward(OWN_FORWARD, own), given.rounds, Watch(given.patience).run)
    best = min(rows, key=lambda row: row.seconds)
    write_table(
        given.out,
        [
            {
                "what": row.what,
                "backbone": given.backbone,
                "arithmetic": row.arithmetic,
                "chosen_by_auto": "yes" if row.arithmetic == chosen else "no",
                "images_per_second": number(row.images / row.seconds, 1),
                "ratio_to_best": number(row.ratio_to(best), 3),
            }
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
