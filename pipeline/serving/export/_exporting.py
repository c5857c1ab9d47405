"""export_model(): one network of base and head, written, checked, and only then put in its place."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np

import pipeline
from pipeline.cache.features import Selection
from pipeline.errors import PipelineError, UsageError, disk_errors
from pipeline.heads import Familiarity, TrainedHead
from pipeline.heads._core.target_figures import FIGURES
from pipeline.images.pixel_range import PixelRange
from pipeline.images.targets import CLASS
from pipeline.paths import expanded
from pipeline.progress import say
from pipeline.serving.export._card import write_card
from pipeline.serving.export._example import example
from pipeline.serving.export._exported import Exported
from pipeline.serving.export._familiarity import FAMILIARITY, rule_text, why_none
from pipeline.serving.export._format import JOINING, Format, JoiningFormat, find_format
from pipeline.serving.export._joining import front_of
from pipeline.serving.export._kinds import kind_of, thresholds_of
from pipeline.serving.export._network import build_network
from pipeline.serving.export._placing import own_place, put_card, refuse_target, replacing
from pipeline.serving.export._sampling import Sample
from pipeline.spec import FeatureSpec
from pipeline.wording import counted

TOLERANCE = 0.01
"""Difference of a probability, or of a number in standard deviations, above which an export of float32
features is wrong, not rounded otherwise: rounding of features to float16 alone made up to 0.0005
(docs/export.md)."""


def export_model(
    trained: TrainedHead,
    path: Path | None = None,
    *,
    format: str,
    weights: str | None = None,
    sample: Sample | None = None,
    features: Selection | None = None,
) -> Exported:
    """Writes base and head as one model, from uint8 images to its answers; see ``docs/export.md``.

    Args:
        trained: The head.
        path: Where to; a place in the head's own folder unless given. An older model of the same format
            gives way to the complete new one.
        format: A module of this package.
        weights: A file with the filters of the base, ``imagenet``, ``random:<seed>``, or None to find them.
        sample: Images to check the written model on, before it takes its place.
        features: The features that the head was trained on, of which the card tells images and commands.

    Raises:
        UsageError: The format is unknown or lacks its packages, the head cannot be exported, the filters
            cannot be found, or something else stands at ``path``.
        CacheMismatchError: The filters are others than those that made the features.
        PipelineError: The model cannot be written, or does not answer what the head answers.
    """
    module = find_format(format)
    target, root = own_place(trained, module) if path is None else (expanded(path), None)
    refuse_target(target, module, format)
    front = front_of(trained.spec, weights)
    if front is not None and format not in JOINING:
        raise UsageError(
            f"format {format!r} cannot hold {trained.spec.backbone}, a graph of ONNX and no layers of Keras: "
            f"choose --format {' or '.join(JOINING)}"
        )
    network = build_network(trained, weights, module.OUTPUTS)
    without_familiarity = why_none(trained, module.OUTPUTS)
    known = None if without_familiarity else trained.familiarity
    if not _exact(trained.spec):
        say(f"note: features were made in {trained.spec.precision}, the exported model computes in float32")
    pixel_range = PixelRange.of(trained.spec.pixel_range)
    if pixel_range is not None:
        say(f"note: the model takes uint8: read deeper pixels by {pixel_range} first, as the example does")
    with (
        disk_errors(
            f"the model cannot be written to {target}",
            "Choose another place with --out",
        ),
        replacing(target, root=root) as draft,
    ):
        if front is None:
            module.write(network, draft, about=_about(trained, known))
        else:
            cast("JoiningFormat", module).write_above(front, network, draft, about=_about(trained, known))
        differences = {} if sample is None else _differences(module, draft, sample, trained, format)
        size = _bytes(draft)
    kind = kind_of(trained)
    answers = example(module, target, trained, pixel_range)
    card = put_card(
        write_card(
            trained,
            format=format,
            name=target.name,
            example=answers,
            checked=0 if sample is None else len(sample.images),
            difference=differences.get(kind.output),
            without_familiarity=without_familiarity,
            features=features,
            out=None if path is None else target.name,
        ),
        target,
        root,
    )
    return Exported(
        head=trained.name,
        dataset=trained.dataset,
        format=format,
        path=target,
        card=card,
        bytes=size,
        image_size=trained.spec.image_size,
        target=trained.task.target,
        classes=trained.classes,
        thresholds=thresholds_of(trained),
        temperature=trained.temperature,
        checked=0 if sample is None else len(sample.images),
        split="" if sample is None else sample.split,
        max_difference=differences.get(kind.output),
        familiarity=None if known is None else known.rule,
        without_familiarity=without_familiarity,
        familiarity_difference=differences.get(FAMILIARITY),
        example=answers,
    )


def _about(trained: TrainedHead, familiarity: Familiarity | None) -> dict[str, str]:
    """Returns what a model says about itself: classes, where it comes from, and what its outputs mean."""
    options = {
        # A model travels; the folders of the machine that it comes from are nobody's business.
        name: Path(value).name if isinstance(value, str) else value
        for name, value in trained.options.items()
    }
    about = {
        "head": trained.name,
        "options": options,
        "dataset": trained.dataset,
        "train_rows": trained.train_rows,
        **_worth(trained),
        "spec": asdict(trained.spec),
        "trained_with": trained.versions,
        "exported_with": {"pipeline": pipeline.__version__},
    }
    said = {kind_of(trained).names: json.dumps(trained.classes), "about": json.dumps(about)}
    if thresholds := thresholds_of(trained):
        said["thresholds"] = json.dumps(thresholds)
    return said if familiarity is None else said | {FAMILIARITY: rule_text(trained, familiarity)}


def _worth(trained: TrainedHead) -> dict[str, Any]:
    """Returns what a model says of its answers: their kind, and what they were worth on val."""
    if trained.task.target == CLASS:
        return {
            "val_accuracy": trained.val_accuracy,
            "temperature": None if trained.temperature is None else trained.temperature.to_json(),
        }
    name, value = trained.val_score or (FIGURES[trained.task.target], None)
    return {
        "target": trained.task.target,
        "output": kind_of(trained).output,
        "meaning": kind_of(trained).meaning,
        f"val_{name}": value,
    }


def _differences(
    module: Format, draft: Path, sample: Sample, trained: TrainedHead, format: str
) -> dict[str, float]:
    """Returns the largest difference of each output between a written model and its head.

    Raises:
        PipelineError: One is too large to be rounding.
    """
    answers = module.open_answers(draft)
    # One by one, as users will, and because a batch of some networks would take gigabytes.
    found = [answers(image[None]) for image in sample.images]
    differences, kind = {}, kind_of(trained)
    for name, expected, units, what, apart in (
        (kind.output, sample.answers, sample.units, kind.one, kind.apart),
        (FAMILIARITY, sample.familiarity, 1.0, "the familiarity", ""),
    ):
        if expected is None or name not in found[0]:
            continue
        given = np.concatenate([one[name] for one in found])
        difference = float((np.abs(given - expected) / units).max())
        if not difference <= TOLERANCE and _exact(trained.spec):  # NaN is not within it, either
            raise PipelineError(
                f"the exported model does not answer what head {trained.name!r} answers: {what} of the "
                f"{counted(len(found), f'{sample.split} image')} it was checked on differs by "
                f"{difference:.4f}{apart}. Nothing was written; choose another --format than {format}"
            )
        differences[name] = difference
    return differences


def _exact(spec: FeatureSpec) -> bool:
    """Tells whether features were made in the arithmetic of the exported model; pixels need none."""
    return spec.precision in ("float32", "none")


def _bytes(path: Path) -> int:
    return sum(part.stat().st_size for part in [path, *path.rglob("*")] if part.is_file())
