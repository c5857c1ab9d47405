"""Sentences of a model card that differ by what the head answers with."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.heads import TrainedHead
from pipeline.heads._core.target_figures import IN_WORDS
from pipeline.images.targets import CLASS, LABELS, NOUNS, NUMBER
from pipeline.serving.export._kinds import kind_of, thresholds_of
from pipeline.serving.export._markdown import shown, table
from pipeline.wording import counted

MOST_LABELS = 100
_WHAT = {
    CLASS: "An image classifier with",
    LABELS: "An image classifier that gives an image several of",
    NUMBER: "A regression from images to",
}
_LIMITS = {
    CLASS: "It names one of its classes for every image, also for one that shows none of them.",
    LABELS: "It tells its labels of every image, also of one unlike all that it has learnt from; of what is "
    "none of its labels it tells nothing.",
    NUMBER: "It gives its numbers for every image, also for one on which there is nothing to measure.",
}
_UNKNOWN = {
    CLASS: "Never answered, for want of training images",
    LABELS: "Labels that no training image has",
    NUMBER: "Numbers that are known of no training image",
}
_ANSWERS = {
    CLASS: "a probability for each class, in the order of `classes` in the model",
    LABELS: "a probability for each label, in the order of `labels` in the model; they need not sum to 1. An "
    "image has the labels whose probability is at or above their threshold, `thresholds` in the model",
    NUMBER: "a value for each number, in the order of `numbers` in the model, and in the unit that it was "
    "given in for the training",
}


def what_it_is(trained: TrainedHead) -> str:
    """Says what the model is."""
    target = trained.task.target
    return (
        f"{_WHAT[target]} {counted(len(trained.classes), NOUNS[target])}: a pretrained base, frozen, with "
        "a small head that was trained on its features."
    )


def answers_line(trained: TrainedHead) -> str:
    """Says what the output with the answers holds."""
    return (
        f"`{kind_of(trained).output}`, float32 (n, {len(trained.classes)}): {_ANSWERS[trained.task.target]}"
    )


def thresholds_table(trained: TrainedHead) -> Iterator[str]:
    """Yields the table of the thresholds of labels; nothing of other kinds."""
    named = list(zip(trained.classes, thresholds_of(trained), strict=False))
    if named:
        yield table(
            ((name, f"{threshold:.4f}") for name, threshold in named[:MOST_LABELS]), ("label", "threshold")
        )
    if len(named) > MOST_LABELS:
        yield f"... and {counted(len(named) - MOST_LABELS, 'more label', 'more labels')}."


def limit_of(trained: TrainedHead) -> str:
    """Says what every model of the kind does that may surprise."""
    return _LIMITS[trained.task.target]


def unknown_line(trained: TrainedHead) -> str:
    """Names what the training had no images of; empty where there is nothing of the kind."""
    names = [name for name, count in zip(trained.classes, trained.class_counts, strict=True) if not count]
    return f"{_UNKNOWN[trained.task.target]}: {', '.join(map(shown, names))}." if names else ""


def worth_on_val(trained: TrainedHead) -> str:
    """Says what the head is worth on val; empty without val."""
    if trained.val_score is None:
        return ""
    name, value = trained.val_score
    return f"On val, which the head may have been chosen on: {IN_WORDS[name]} {value:.4f}."


def how_chosen(trained: TrainedHead) -> str:
    """Says how probabilities, or answers, came to be what they are; empty of numbers."""
    if trained.task.target == CLASS:
        if trained.temperature is None:
            return (
                "Probabilities are as the head gives them; `pipeline evaluate --calibrate` fits a "
                "temperature."
            )
        return f"Probabilities are calibrated: {trained.temperature.line}."
    if trained.task.target == LABELS:
        if trained.thresholds:
            return "Thresholds are those of the highest F1 on val, so F1 on val is too good."
        return "Thresholds are 0.5, as there was no val to choose them on."
    return ""
