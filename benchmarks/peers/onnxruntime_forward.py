"""The forward pass in onnxruntime, of the base that ``export.py`` wrote."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from _serving import add_pass_options, answers, say, serve
from engine_forward import load_pixels


def main() -> None:
    """Serves one pass in float32, the only arithmetic of its convolutions on a processor besides int8."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds base.onnx")
    add_pass_options(parser)
    given = parser.parse_args()
    with answers() as stream:
        try:
            import onnxruntime
        except ImportError:
            say(stream, note="not installed")
            return
        session = onnxruntime.InferenceSession(
            str(given.folder / "base.onnx"), providers=["CPUExecutionProvider"]
        )
        name = session.get_inputs()[0].name
        pixels = load_pixels(given.images, given.count, given.size)

        def run(count: int) -> None:
            for start in range(0, count, given.batch):
                session.run(None, {name: pixels[start : start + given.batch]})[0].astype(np.float16)

        serve(stream, {"float32": run}, count=given.count, batch=given.batch)


if __name__ == "__main__":
    main()
