"""The page of an evaluation of labels or numbers: one file that shows figures, mistakes and other heads."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pipeline
from pipeline.cache import FeatureSet
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.files import not_written
from pipeline.evaluation.page import facts, rankings
from pipeline.evaluation.page.chapters import Chapter
from pipeline.evaluation.page.curves import learning_curves
from pipeline.evaluation.page.html import STYLES, render
from pipeline.evaluation.page.left_out import left_out, source_notes
from pipeline.evaluation.page.pictures import Album
from pipeline.evaluation.page.pieces import (
    GALLERY_SIZE,
    digests_of,
    encoded,
    leak_contents,
    scale_of,
    warnings_of,
)
from pipeline.evaluation.page.story import data_answer
from pipeline.evaluation.targets.gallery import mistakes
from pipeline.evaluation.targets.pictures import PICTURES
from pipeline.evaluation.targets.report import TargetReport
from pipeline.files import written
from pipeline.heads import FIGURES, IN_WORDS, TrainedHead
from pipeline.heads._core.target_figures import figure_text
from pipeline.images import ImageSource
from pipeline.images.targets import LABELS, NOUNS, NUMBER, count_targets
from pipeline.run_files import is_page
from pipeline.wording import counted, readable

SHOWN = 300
"""Labels or numbers in the tables."""
MEANINGS = {
    "mean average precision": "of each label, then their mean; needs no threshold",
    "micro F1": "of all decisions taken together",
    "macro F1": "mean F1 of the labels",
    "exact match": "images whose labels are all right",
    "Hamming loss": "decisions that are wrong; lower is better",
    "MAE": "mean absolute error; lower is better",
    "RMSE": "ruled by large errors; lower is better",
    "R2": "share of the variance that is explained",
    "Spearman": "whether answers are in the right order",
}
"""What figures tell, in a few words."""
COLUMNS = {
    LABELS: (
        "AP is the average precision and AUC the area under the ROC curve: both look at the order of the "
        "probabilities alone. An image is predicted to have a label whose probability reaches the threshold; "
        "precision, recall and F1 are of these. Images have the label."
    ),
    NUMBER: (
        "Errors have the unit of the number. 90% within: as near to the answer nine of ten true values "
        "should be, by the errors on val; held: of how many images here that is so."
    ),
}
"""What the columns of a line for each label or number tell."""


def write_target_page(
    report: TargetReport,
    path: Path,
    *,
    features: Mapping[str, FeatureSet] | None = None,
    images: ImageSource | None = None,
    comparison: Comparison[Any] | None = None,
) -> None:
    """Writes the page, with the pictures that stand beside it.

    Args:
        report: What was evaluated.
        path: The file to write, in a folder that ``TargetReport.write`` fills; an older one is replaced.
        features: The splits of the entry by name, whose images are counted.
        images: Where the pictures come from; None where they are gone.
        comparison: This head and others on the same images; None where none were compared.

    Raises:
        CacheMismatchError: A row of the features is damaged.
        PipelineError: The file cannot be written, or something that is no report page stands there.
    """
    contents = _contents(report, features or {}, images, comparison) | {"pictures": _pictures(path.parent)}
    text = render(contents, page="targets.html.j2", styles=(*STYLES, "targets.css"), scripts=("gallery.js",))
    with (
        not_written(f"the report page cannot be written to {path}"),
        written(path, root=path.parent, known=is_page) as file,
    ):
        file.write(text.encode())


def _contents(
    report: TargetReport,
    features: Mapping[str, FeatureSet],
    images: ImageSource | None,
    comparison: Comparison[Any] | None,
) -> dict[str, Any]:
    started = time.perf_counter()
    album = Album(images, digests_of(report.rows, features), report.spec)
    shown, (columns, lines) = mistakes(report), report.table
    warnings = warnings_of(report, report.leaks)
    contents = {
        "subject": report.subject,
        "head": report.head,
        "dataset": report.dataset,
        "split": report.split,
        "rows": len(report.rows),
        "n": report.figures.n,
        "unknown": report.figures.unknown,
        "names": len(lines),
        "noun": NOUNS[report.target],
        "created_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "version": pipeline.__version__,
        "looks": "" if report.looks is None else report.looks.line,
        "chapters": _chapters(report),
        "warnings": warnings,
        "short_answers": {
            "sound-data": data_answer(_images_of(report, features), report.leaks),
            "sound-figure": _figure_answer(report, misleading=any(one["danger"] for one in warnings)),
        },
        "main_figures": _headlines(report),
        "facts": report.baseline,
        "columns": columns,
        "lines": report.hardest(SHOWN),
        "columns_note": COLUMNS[report.target],
        "counts": _counts(report, features),
        "left_out": [*left_out(features, images), *source_notes(images)],
        "mistakes": shown,
        "mistake_pictures": encoded(album, shown.ids, GALLERY_SIZE),
        "stage_one": facts.stage_one(report, features),
        "stage_two": _stage_two(report.trained) | facts.seen_rows(report),
        "curves": learning_curves(report.history),
        **leak_contents(report.leaks, album),
        **_ranking(report, comparison),
    }
    return contents | {"pictures_note": album.note, "seconds": time.perf_counter() - started}


def _chapters(report: TargetReport) -> tuple[Chapter, ...]:
    """Returns the questions of the page; each part is a template of its name."""
    mistaken = "Wrong labels" if NOUNS[report.target] == "label" else "Errors"
    curves = [("curves", "Learning curves")] if report.history else []
    return (
        Chapter(
            "sound-data",
            "Is the data sound?",
            (("target_data", "The data"), ("leaks", "Leaks between splits")),
        ),
        Chapter(
            "sound-figure",
            "Is the figure sound?",
            (
                ("target_figures", "Figures"),
                ("target_mistakes", mistaken),
                ("target_each", f"Each {NOUNS[report.target]}"),
                ("target_pictures", "Pictures"),
                ("target_ranking", "Other heads"),
                *curves,
                ("run", "What was run"),
            ),
        ),
    )


def _headlines(report: TargetReport) -> list[facts.Headline]:
    return [
        facts.Headline(
            name,
            figure_text(name, value),
            "" if ends is None else " to ".join(figure_text(name, end) for end in ends),
            MEANINGS.get(name, ""),
        )
        for name, (value, ends) in report.figures.lines.items()
    ]


def _figure_answer(report: TargetReport, *, misleading: bool) -> str:
    name, (value, ends) = next(iter(report.figures.lines.items()))
    ends_in_words = " and ".join(figure_text(name, end) for end in ends or ())
    between = f", between {ends_in_words} over all such images" if ends else ""
    measured = f"{counted(report.figures.n, 'image')} measured"
    said = f"{name[0].upper()}{name[1:]} {figure_text(name, value)}{between}; {measured}"
    return f"Not as it stands: see the red remarks. {said}." if misleading else f"{said}."


def _images_of(report: TargetReport, features: Mapping[str, FeatureSet]) -> dict[str, int]:
    found = {name: int((part.rows.views == 0).sum()) for name, part in features.items()}
    return found or {report.split: len(report.rows)}


def _counts(report: TargetReport, features: Mapping[str, FeatureSet]) -> dict[str, Any]:
    """Returns how many images of each split have each label, or each number, and how many nothing."""
    originals = {name: part.targets[part.rows.views == 0] for name, part in features.items()}
    found = [count_targets(targets, report.target) for targets in originals.values()]
    names = next((part.classes for part in features.values()), ())
    return {
        "splits": list(originals),
        "totals": [len(targets) for targets in originals.values()],
        "unknown": [unknown for _, unknown in found],
        "lines": [
            {"name": readable(name), "counts": [int(counts[i]) for counts, _ in found]}
            for i, name in enumerate(names[:SHOWN])
        ],
        "largest": max((int(counts[:SHOWN].max(initial=0)) for counts, _ in found), default=0) or 1,
        "names": len(names),
    }


def _stage_two(head: TrainedHead) -> facts.Facts:
    noun = NOUNS[head.task.target]
    return facts.training(
        head,
        {
            "training rows": f"{head.train_rows:,} with {counted(len(head.classes), noun)}",
            "on val": head.val_line,
        },
    )


def _ranking(report: TargetReport, comparison: Comparison[Any] | None) -> dict[str, Any]:
    """Returns what the template of the other heads shows."""
    ranked_by = FIGURES[report.target]
    others = comparison if comparison is not None and len(comparison.reports) > 1 else None
    heads = [] if report.run is None else rankings.trained_heads(report)
    compared = rankings.compared_heads(others, head=report.head) if others else []
    return {
        "figure": IN_WORDS[ranked_by],
        "heads": heads,
        "head_scale": scale_of([one.accuracy_interval for one in heads]),
        "damaged": [] if report.run is None else rankings.damaged_records(report),
        "compared": compared,
        "compared_scale": scale_of([one.interval for one in compared]),
        "compared_test": others.yardstick.test if others else "",
        "compared_notes": (others.winner_note,) if others and others.best.split == "test" else (),
    }


def _pictures(folder: Path) -> list[dict[str, str]]:
    return [
        {"words": words, "data": _embedded((folder / name).read_bytes())}
        for name, words in PICTURES.items()
        if (folder / name).is_file()
    ]


def _embedded(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}"
