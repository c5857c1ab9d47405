"""Stage one against its peers: the same images, the same machine, one sitting.

python benchmarks/stage_one.py
python benchmarks/stage_one.py --images photos/ --backbone vgg16 --count 640 --rounds 5
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from inputs import add_image_option, place_images
from measuring import Contender, Row, interleave, run_process
from quiet import Watch, add_patience_option
from sitting import OWN_FORWARD, Sitting
from stage_one_table import MARK, describe, summary
from tables import RESULTS, replace_between_marks, write_table
from workers import peer_command

ROUNDS = 3


def main() -> None:
    """Measures and writes ``stage_one.csv``, and the README's table where one is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_option(parser)
    parser.add_argument("--backbone", default="vgg16")
    parser.add_argument("--weights", default="random")
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument(
        "--count", type=int, default=320, help="a multiple of the batch keeps all batches full"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    add_patience_option(parser)
    parser.add_argument("--out", type=Path, default=RESULTS / "stage_one.csv")
    parser.add_argument("--readme", type=Path, help="file whose table between marks is renewed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        sitting = Sitting(
            images=place_images(given.images, Path(folder) / "photographs", given.count),
            work=Path(folder),
            backbone=given.backbone,
            weights=given.weights,
            size=given.size,
            batch=given.batch,
            count=given.count,
        )
        peers, absent = forward_peers(sitting, stack)
        contenders = [*own_and_course(sitting, stack), *peers]
        # What is compared most stands side by side, so that little can happen in between.
        contenders.sort(key=lambda contender: contender.rows[0].arithmetic)
        rows = interleave(contenders, given.rounds, Watch(given.patience).run)
    write_table(given.out, describe([*rows, *absent], given.backbone))
    if given.readme:
        replace_between_marks(given.readme, MARK, summary(given.out))


def own_and_course(sitting: Sitting, stack: ExitStack) -> list[Contender]:
    """Lists the course method and all that is ours, in every arithmetic of this machine."""
    own = stack.enter_context(sitting.worker("engine_forward", "keras", sitting.cache, *sitting.base))
    shape = own.about["feature_shape"]
    found = [sitting.course(), sitting.extract("pipeline", "auto"), sitting.without("base", "float32", shape)]
    for arithmetic in own.passes:
        found += [
            sitting.extract("pipeline", arithmetic, "--engine", "keras"),
            sitting.without("disk", arithmetic, shape),
        ]
    return found + sitting.forward(OWN_FORWARD, own)


def forward_peers(sitting: Sitting, stack: ExitStack) -> tuple[list[Contender], list[Row]]:
    """Lists what other libraries make of the same base, and a row for each that cannot run here."""
    command = peer_command("export", sitting.work, *sitting.base, "--size", sitting.size)
    no_onnx = run_process(command).answer["note"]
    no_torch = "" if sitting.backbone == "vgg16" else "rebuilds VGG16 only"
    folder = sitting.work
    scripts = {
        "OpenVINO forward": ("", ["engine_forward", "openvino", sitting.cache, *sitting.base]),
        "onnxruntime forward": (no_onnx, ["onnxruntime_forward", folder]),
        "PyTorch forward": (no_torch, ["torch_forward", folder]),
    }
    found, absent = [], []
    for what, (note, script) in scripts.items():
        worker = None if note else stack.enter_context(sitting.worker(*script))
        if worker and worker.passes:
            found += sitting.forward(what, worker)
        else:
            absent.append(Row(what, note=note or worker.note))
    for row in [row for contender in found for row in contender.rows]:
        if row.what == "OpenVINO forward" and row.arithmetic != "float32":
            found.append(sitting.extract("pipeline with OpenVINO", row.arithmetic, "--engine", "openvino"))
    return found, absent


if __name__ == "__main__":
    main()
