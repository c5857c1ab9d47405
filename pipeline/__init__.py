"""Two-stage transfer learning: features are extracted once, heads are trained in seconds."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0"

_HOMES = {
    "extract": "pipeline.extraction",
    "FeatureRequest": "pipeline.extraction",
    "Augmentation": "pipeline.extraction.augment",
    "make_executor": "pipeline.extraction",
    "import_features": "pipeline.extraction.importing",
    "open_images": "pipeline.images",
    "SourceOptions": "pipeline.images.source_options",
    "find_entries": "pipeline.cache",
    "open_features": "pipeline.cache",
    "export_features": "pipeline.cache.exchange.exporting",
    "CachedFeatures": "pipeline.cached_features",
    "FeatureSpec": "pipeline.spec",
    "train_head": "pipeline.heads",
    "load_head": "pipeline.heads",
    "sweep": "pipeline.sweeps",
    "Candidate": "pipeline.sweeps",
    "choose": "pipeline.choosing",
    "evaluate": "pipeline.evaluation",
    "evaluate_targets": "pipeline.evaluation.targets",
    "predict": "pipeline.serving",
    "PipelineError": "pipeline.errors",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first used, so that importing the package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Lists the public names, loaded or not."""
    return sorted(__all__)
