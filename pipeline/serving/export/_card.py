"""The model card: one page of Markdown beside an exported model, of what is known and of nothing else.

The head of the page is in the form of the Hugging Face hub (huggingface.co/docs/hub/model-cards), which other
registries read, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pipeline
from pipeline.heads import TrainedHead
from pipeline.run_files import CARD_MARK
from pipeline.serving.export._familiarity import FAMILIARITY, MEANING
from pipeline.serving.export._network import OUTPUT
from pipeline.stored_heads import StoredFigures, read_stored_figures
from pipeline.wording import counted, readable

MOST_CLASSES = 100
SPLIT = "test"


def card_of(target: Path) -> Path:
    """Returns the place of the card of a model."""
    return target.with_name(f"{target.name}.md")


def write_card(
    trained: TrainedHead,
    *,
    format: str,
    name: str,
    example: str,
    checked: int,
    difference: float | None,
    without_familiarity: str,
) -> str:
    """Returns the text of a card.

    Args:
        trained: The head.
        format: Of the exported model.
        name: File name of the model.
        example: Lines of Python that let it answer.
        checked: Images that it was checked on.
        difference: Largest difference of a probability to the head's, in that check.
        without_familiarity: Why the model does not give familiarity; empty where it does.
    """
    figures = _measured(trained)
    parts = [
        _front(trained, format, figures),
        f"# {_shown(trained.dataset)}: {trained.name} on {_shown(trained.spec.backbone)}",
        f"An image classifier with {counted(len(trained.classes), 'class')}: a pretrained base, frozen, with "
        "a small head that was trained on its features.",
        "No licence is stated: whoever publishes this adds `license:` above, and has those of the base and "
        "of the training images in mind.",
        "## Use",
        f"```python\n{example}\n```",
        f"`{name}` takes uint8 images, RGB, {trained.spec.image_size} x {trained.spec.image_size} pixels; "
        "scaling of pixels is inside, decoding and resizing are not. It gives:",
        *_outputs(trained, without_familiarity),
        "## Figures",
        *_figures(trained, figures),
        "## Limits",
        *_limits(trained, checked, difference, without_familiarity),
        "## Trained on",
        *_training(trained),
        "## How it was made",
        _table(_making(trained)),
    ]
    return "\n\n".join(parts) + "\n"


def _front(trained: TrainedHead, format: str, figures: StoredFigures | None) -> str:
    """Writes the head of the page; JSON is YAML, too, so names cannot leave their place."""
    front: dict[str, Any] = {
        "library_name": format,
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "transfer-learning", trained.spec.backbone],
    }
    if figures is not None:
        metrics: list[dict[str, Any]] = [{"type": "accuracy", "value": figures.accuracy}]
        if figures.macro_f1 is not None:
            metrics.append({"type": "f1", "value": figures.macro_f1, "args": {"average": "macro"}})
        result = {
            "task": {"type": "image-classification"},
            "dataset": {"name": trained.dataset, "type": trained.dataset, "split": SPLIT},
            "metrics": metrics,
        }
        front["model-index"] = [{"name": f"{trained.dataset}-{trained.name}", "results": [result]}]
    lines = [f"{key}: {json.dumps(value)}" for key, value in front.items()]
    return "\n".join(["---", f"# {CARD_MARK}", *lines, "---"])


def _measured(trained: TrainedHead) -> StoredFigures | None:
    """Returns the figures on test in the head's own folder; None where there are none that can be read."""
    return None if trained.folder is None else read_stored_figures(trained.folder, SPLIT)


def _figures(trained: TrainedHead, figures: StoredFigures | None) -> Iterator[str]:
    if figures is None:
        yield (
            f"Not evaluated on {SPLIT} yet: `pipeline evaluate --head {trained.name} --split {SPLIT}`, then "
            "export again."
        )
    else:
        low, high = figures.interval
        rows = {
            "images": "" if figures.rows is None else f"{figures.rows:,}",
            "accuracy": f"{figures.accuracy:.4f}, 95 % interval {low:.4f} to {high:.4f}",
            "macro F1": _digits(figures.macro_f1),
            "log-loss": _digits(figures.log_loss),
            "always the largest class": _digits(figures.majority_accuracy),
        }
        yield f"On the {SPLIT} split, which took no part in training:"
        yield _table({name: value for name, value in rows.items() if value})
        if figures.notes:
            yield "\n".join(f"* {_shown(note)}" for note in figures.notes)
    if trained.val_accuracy is not None:
        yield f"On val, which the head may have been chosen on: accuracy {trained.val_accuracy:.4f}."
    if trained.temperature is None:
        yield "Probabilities are as the head gives them; `pipeline evaluate --calibrate` fits a temperature."
    else:
        yield f"Probabilities are calibrated: {trained.temperature.line}."


def _outputs(trained: TrainedHead, without_familiarity: str) -> Iterator[str]:
    """Says what the model gives, and what tells images that it should not be asked about."""
    lines = [
        f"`{OUTPUT}`, float32 (n, {len(trained.classes)}): a probability for each class, in the order of "
        "`classes` in the model",
    ]
    if not without_familiarity and (known := trained.familiarity) is not None:
        lines.append(
            f"`{FAMILIARITY}`, float32 (n,): {MEANING}. The threshold is {known.threshold:.4f}: of images "
            f"like those of val at most {known.rate:.2%} are below it, told by "
            f"{counted(known.val_rows, 'image')}"
        )
    yield "\n".join(f"* {line}" for line in lines)
    if without_familiarity:
        yield f"Familiarity, which tells images unlike the training, is not given: {without_familiarity}."


def _limits(
    trained: TrainedHead, checked: int, difference: float | None, without_familiarity: str
) -> Iterator[str]:
    if without_familiarity:
        tell = "`pipeline predict` and `pipeline serve` tell such images; this model alone does not."
    else:
        tell = f"Look at `{FAMILIARITY}` first: it tells most such images."
    lines = [f"It names one of its classes for every image, also for one that shows none of them. {tell}"]
    if trained.spec.weights.startswith("random:"):
        lines.insert(0, "RANDOM FILTERS: the base was never trained; answers are poor.")
    if unknown := [
        name for name, count in zip(trained.classes, trained.class_counts, strict=True) if not count
    ]:
        lines.append(f"Never answered, for want of training images: {', '.join(map(_shown, unknown))}.")
    if difference is not None:
        lines.append(
            f"On {counted(checked, 'image')} its probabilities differ by at most {difference:.1g} from the "
            "head's; figures above are the head's."
        )
    yield "\n".join(f"* {line}" for line in lines)


def _training(trained: TrainedHead) -> Iterator[str]:
    yield f"{counted(trained.train_rows, 'row')} of {_shown(trained.dataset)}:"
    pairs = sorted(zip(trained.classes, trained.class_counts, strict=True), key=lambda pair: -pair[1])
    yield _table({name: f"{count:,}" for name, count in pairs[:MOST_CLASSES]}, "class", "rows")
    if len(pairs) > MOST_CLASSES:
        yield f"... and {counted(len(pairs) - MOST_CLASSES, 'more class', 'more classes')}."


def _making(trained: TrainedHead) -> dict[str, str]:
    spec = trained.spec
    return {
        "base": spec.backbone,
        "filters": spec.weights,
        "cut": spec.layer if spec.pooling == "none" else f"{spec.layer}, pooled: {spec.pooling}",
        "image size": str(spec.image_size),
        "preprocessing": spec.preprocessing,
        "resizing": spec.resize,
        "features": f"{spec.engine}, {spec.precision}, stored in {spec.store}",
        "head": trained.name,
        "options": ", ".join(f"{name}={value}" for name, value in trained.options.items()) or "none",
        "seed": str(trained.seed),
        "made with": ", ".join(f"{name} {number}" for name, number in trained.versions.items()),
        "exported with": f"pipeline {pipeline.__version__}",
    }


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _table(rows: dict[str, str], first: str = "", second: str = "") -> str:
    lines = [f"| {first} | {second} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {_shown(key)} | {_shown(value)} |" for key, value in rows.items())])


def _shown(text: str) -> str:
    """Makes text from outside harmless in Markdown: one line, no markup, no cell of a table."""
    plain = readable(text, 200)
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in plain)
