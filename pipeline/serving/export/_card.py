"""The model card: one page of Markdown beside an exported model, of what is known and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pipeline
from pipeline.cache.features import Selection
from pipeline.evaluation.leaks.findings import DOUBTFUL
from pipeline.heads import TrainedHead
from pipeline.serving.export._card_commands import commands_of
from pipeline.serving.export._card_front import front_matter
from pipeline.serving.export._card_images import images_section
from pipeline.serving.export._familiarity import FAMILIARITY, MEANING
from pipeline.serving.export._markdown import code, shown, table
from pipeline.serving.export._network import OUTPUT
from pipeline.stored_heads import StoredFigures, read_stored_figures
from pipeline.wording import counted

SPLIT = "test"


def write_card(
    trained: TrainedHead,
    *,
    format: str,
    name: str,
    example: str,
    checked: int,
    difference: float | None,
    without_familiarity: str,
    features: Selection | None = None,
    out: str | None = None,
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
        features: The features that the head was trained on; None = not at hand, which the card says.
        out: File name that was asked for; None where the model stands in the folder of its head.
    """
    figures = _measured(trained)
    parts = [
        front_matter(trained, format=format, split=SPLIT, figures=figures),
        f"# {shown(trained.dataset)}: {trained.name} on {shown(trained.spec.backbone)}",
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
        *images_section(trained, features),
        "## How it was made",
        table(_making(trained).items()),
        "## Commands that made it",
        "Folders of the machine are left out, and what a command takes where nothing is said.",
        code(
            commands_of(
                trained, features, format=format, out=out, evaluated=None if figures is None else SPLIT
            ),
            "sh",
        ),
    ]
    return "\n\n".join(parts) + "\n"


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
        yield table((name, value) for name, value in rows.items() if value)
        yield _leaks(figures.leaks)
        if figures.notes:
            yield "\n".join(f"* {shown(note)}" for note in figures.notes)
    if trained.val_accuracy is not None:
        yield f"On val, which the head may have been chosen on: accuracy {trained.val_accuracy:.4f}."
    if trained.temperature is None:
        yield "Probabilities are as the head gives them; `pipeline evaluate --calibrate` fits a temperature."
    else:
        yield f"Probabilities are calibrated: {trained.temperature.line}."


def _leaks(found: dict[str, int] | None) -> str:
    """Says what a leak check has found; what it could not compare, nobody has written down."""
    if found is None:
        return "What a leak check between the splits finds is not on record: `pipeline check`."
    kinds = [
        f"{count:,} {shown(kind)}{' (to look at)' * (kind in DOUBTFUL)}"
        for kind, count in found.items()
        if count
    ]
    pairs = f"found pairs of images: {', '.join(kinds)}" if kinds else "found nothing"
    return f"The leak check beside these figures {pairs}; what it could not compare is not on record."


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
        lines.append(f"Never answered, for want of training images: {', '.join(map(shown, unknown))}.")
    if difference is not None:
        lines.append(
            f"On {counted(checked, 'image')} its probabilities differ by at most {difference:.1g} from the "
            "head's; figures above are the head's."
        )
    yield "\n".join(f"* {line}" for line in lines)


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
