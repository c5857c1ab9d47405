"""What the page shows: everything the templates need, by name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pipeline
from pipeline.cache import FeatureSet
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.page import confusions, facts, rankings, thresholds
from pipeline.evaluation.page.advice import steps
from pipeline.evaluation.page.chapters import CHAPTERS
from pipeline.evaluation.page.class_counts import class_counts
from pipeline.evaluation.page.commands import Commands
from pipeline.evaluation.page.curves import diagram, learning_curves
from pipeline.evaluation.page.data import data_contents
from pipeline.evaluation.page.evidence_pictures import evidence_pictures
from pipeline.evaluation.page.feature_map import map_contents
from pipeline.evaluation.page.gallery import gallery
from pipeline.evaluation.page.pictures import Album, encode
from pipeline.evaluation.page.pieces import (
    GALLERY_SIZE,
    digests_of,
    leak_contents,
    scale_of,
    warnings_of,
)
from pipeline.evaluation.page.rankings import compared_heads
from pipeline.evaluation.page.story import short_answers
from pipeline.evaluation.report import Report
from pipeline.heads import TrainedHead
from pipeline.images import ImageSource


def gather(
    report: Report,
    head: TrainedHead,
    *,
    features: Mapping[str, FeatureSet],
    images: ImageSource | None,
    leaks: Leaks | None,
    comparison: Comparison | None,
) -> dict[str, Any]:
    """Gathers all that the templates show.

    Raises:
        CacheMismatchError: A row of the features is damaged.
    """
    started = time.perf_counter()
    figures = report.figures
    album = Album(images, digests_of(report.rows, features), report.spec)
    shown, counts = gallery(report), class_counts(report, features)
    seen = album.read(shown.ids, size=GALLERY_SIZE)
    warnings, kept_back = warnings_of(report, leaks), thresholds.answers_kept_back(report)
    heads, sweep = rankings.trained_heads(report), rankings.sweep_results(report)
    others = comparison if comparison is not None and len(comparison.reports) > 1 else None
    compared = compared_heads(others, head=report.head) if others else []
    advice = steps(
        report,
        head,
        leaks=leaks,
        commands=Commands.about(report, features),
        heads=len(heads),
        splits=list(features),
        kept_back=kept_back,
        unlabelled=dict(zip(counts.splits, counts.unlabelled, strict=True)).get("train", 0),
    )
    contents = {
        "subject": report.subject,
        "head": report.head,
        "dataset": report.dataset,
        "split": report.split,
        "rows": len(report.rows),
        "classes": len(figures.classes),
        "unlabelled": figures.unlabelled,
        "grouped": any(report.rows.groups),
        "created_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "version": pipeline.__version__,
        "chapters": CHAPTERS,
        "looks": report.looks.line if report.looks else "",
        "warnings": warnings,
        "short_answers": short_answers(
            report,
            rows=counts.rows,
            leaks=leaks,
            misleading=any(one["danger"] for one in warnings),
            steps=[one.title for one in advice],
        ),
        "data": data_contents(report, features, album, images, counts=counts, seed=head.seed),
        "main_figures": facts.main_figures(figures),
        "other_figures": facts.other_figures(figures),
        "stage_one": facts.stage_one(report, features),
        "stage_two": facts.stage_two(head) | facts.seen_rows(report),
        "heads": heads,
        "head_scale": scale_of([one.accuracy_interval for one in heads]),
        "sweep": sweep,
        "sweep_scale": scale_of([one.interval for one in sweep.standings] if sweep else []),
        "damaged": rankings.damaged_records(report),
        "compared": compared,
        "compared_scale": scale_of([one.interval for one in compared]),
        "compared_notes": (others.winner_note,) if others and others.best.split == "test" else (),
        "bars": confusions.class_bars(figures),
        "matrix": confusions.matrix(figures),
        "pairs": confusions.worst_pairs(figures),
        "curves": learning_curves(report.history),
        "reliability": diagram(figures.reliability),
        "ece": figures.ece,
        "temperature": _temperature(report),
        "map": map_contents(report, features.get(report.split), album, seed=head.seed),
        "gallery": shown,
        "gallery_pictures": {name: encode(picture) for name, picture in seen.items()},
        "evidence": evidence_pictures(report, head, features, seen, shown.answers),
        "kept_back": kept_back,
        "class_curves": thresholds.class_curves(report),
        "classes_with_rows": sum(one.support > 0 for one in figures.per_class),
        "share_axes": thresholds.AXES,
        "remarks": report.notes,
        "steps": advice,
        **leak_contents(leaks, album),
    }
    return contents | {"pictures_note": album.note, "seconds": time.perf_counter() - started}


def _temperature(report: Report) -> dict[str, Any] | None:
    """Returns the temperature with the figures it changed, before and after; None without one."""
    return report.calibration.to_json(report.figures) if report.calibration else None
