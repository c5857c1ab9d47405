"""An engine's forward pass alone: images are decoded before the clock starts, features are dropped."""

from __future__ import annotations

import argparse
import functools
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from _serving import add_pass_options, answers, serve

from pipeline import registry
from pipeline.backbones.weights import resolve_weights
from pipeline.extraction import engines
from pipeline.extraction.request import ARITHMETICS, FeatureRequest
from pipeline.extraction.settle import SettledRequest, settle_networks
from pipeline.images import open_images
from pipeline.images.decode import decode
from pipeline.images.manifest import scan


def main() -> None:
    """Serves one pass per arithmetic of the engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=list(ARITHMETICS))
    parser.add_argument("cache", type=Path, help="where stage one looks for networks in int8")
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--weights", required=True)
    add_pass_options(parser)
    given = parser.parse_args()
    with answers() as stream:
        pixels = load_pixels(given.images, given.count, given.size)
        loaded = {name: load(given, name) for name in arithmetics(given.engine)}
        shapes = next(iter(loaded.values())).feature_shapes
        passes = {
            name: functools.partial(run, engine=engine, pixels=pixels, batch=given.batch)
            for name, engine in loaded.items()
        }
        serve(stream, passes, count=given.count, batch=given.batch, feature_shape=shapes[0])


def arithmetics(engine: str) -> list[str]:
    """Lists what this machine is fast in, and int8 where the engine has it."""
    fast = registry.load(engines, "engine", engine).precisions()
    return [*fast, *(["int8"] if "int8" in ARITHMETICS[engine] else [])]


def load(given: argparse.Namespace, arithmetic: str) -> engines.Engine:
    """Loads the base as stage one does; int8 is calibrated where stage one will look for it."""
    weights = resolve_weights(given.backbone, given.weights, given.size)
    request = FeatureRequest(
        backbone=given.backbone,
        weights=given.weights,
        image_size=given.size,
        precision=arithmetic,
        engine=given.engine,
    )
    settled = SettledRequest.of(request, cache=given.cache)
    if arithmetic == "int8":
        source = open_images(str(given.images))
        settled = settle_networks(request, weights, scan(source), given.cache / source.name)
    return registry.load(engines, "engine", given.engine).load(settled, weights)


def load_pixels(folder: Path, count: int, size: int) -> np.ndarray:
    """Decodes the first images of a folder as stage one does: uint8 (count, size, size, 3)."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())[:count]
    return np.stack([decode(path.read_bytes(), size) for path in files])


def run(count: int, *, engine: engines.Engine, pixels: np.ndarray, batch: int) -> None:
    """Passes images through the base, as many batches ahead as stage one has; features come back."""
    ahead: deque[Any] = deque()
    for start in range(0, count, batch):
        ahead.append(engine.submit(pixels[start : start + batch]))
        if len(ahead) > engine.ahead:
            engine.fetch(ahead.popleft())
    while ahead:
        engine.fetch(ahead.popleft())


if __name__ == "__main__":
    main()
