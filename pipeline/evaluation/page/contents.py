"""What the page shows: everything the templates need, by name."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pipeline
from pipeline.cache import FeatureSet
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.leaks.findings import NOT_LOOKED_FOR, Leaks
from pipeline.evaluation.page import confusions, facts, pictures, rankings, thresholds
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
from pipeline.evaluation.page.rankings import compared_heads
from pipeline.evaluation.page.story import short_answers
from pipeline.evaluation.report import Report
from pipeline.heads import TrainedHead
from pipeline.images import ImageSource
from pipeline.wording import counted, verb

MISLEADING = ("RANDOM FILTERS", "LEAK", "this is the training split")
"""How notes begin that take the meaning from the figures, rather than adding to it."""
GALLERY_SIZE, LEAK_SIZE = 224, 128


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
    album = Album(images, _digests(report, features), report.spec)
    shown, counts = gallery(report), class_counts(report, features)
    seen = album.read(shown.ids, size=GALLERY_SIZE)
    warnings, kept_back = _warnings(report, leaks), thresholds.answers_kept_back(report)
    kinds = pictures.kinds_of_leaks(leaks) if leaks else []
    sides = [side.id for kind in kinds for pair in kind.pairs for side in (pair.first, pair.second)]
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
        "head_scale": _scale([one.accuracy_interval for one in heads]),
        "sweep": sweep,
        "sweep_scale": _scale([one.interval for one in sweep.standings] if sweep else []),
        "damaged": rankings.damaged_records(report),
        "compared": compared,
        "compared_scale": _scale([one.interval for one in compared]),
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
        "leaks_checked": leaks is not None,
        "not_looked_for": NOT_LOOKED_FOR,
        "leaks": kinds,
        "checked": leaks.checked if leaks else {},
        "leak_notes": leaks.notes if leaks else (),
        "repeated": leaks.repeated if leaks else {},
        "leak_pictures": _encoded(album, sides, LEAK_SIZE),
    }
    return contents | {"pictures_note": album.note, "seconds": time.perf_counter() - started}


def _digests(report: Report, features: Mapping[str, FeatureSet]) -> dict[str, bytes]:
    """Returns the digest of each row's image by id, those of the other splits included."""
    every = [*(part.rows for part in features.values()), report.rows]
    return {
        name: digest.tobytes() for rows in every for name, digest in zip(rows.ids, rows.digests, strict=True)
    }


def _encoded(album: Album, ids: Sequence[str], size: int) -> dict[str, str]:
    return {name: encode(picture) for name, picture in album.read(ids, size=size).items()}


def _warnings(report: Report, leaks: Leaks | None) -> list[dict[str, Any]]:
    """Returns the remarks, those first that take the meaning from the figures."""
    found = [{"text": note, "danger": note.startswith(MISLEADING)} for note in report.notes]
    leaking = int(leaks.mask(report.split, report.rows.ids).sum()) if leaks else 0
    if leaking and not any(note.startswith("LEAK") for note in report.notes):
        stand = f"{leaking:,} of {counted(len(report.rows), 'image')} {verb(leaking, 'stands', 'stand')}"
        text = (
            f"LEAK: {stand} in the training split, too, so the figures are better than they should be. "
            "The part on leaks shows them"
        )
        found.append({"text": text, "danger": True})
    return sorted(found, key=lambda one: not one["danger"])


def _temperature(report: Report) -> dict[str, Any] | None:
    """Returns the temperature with the figures it changed, before and after; None without one."""
    return report.calibration.to_json(report.figures) if report.calibration else None


def _scale(intervals: Sequence[tuple[float, float] | None]) -> tuple[float, float]:
    """Returns the ends of an axis that holds all intervals."""
    known = [one for one in intervals if one is not None]
    low, high = min((one[0] for one in known), default=0.0), max((one[1] for one in known), default=1.0)
    return (low, high) if high > low else (low, low + 1e-9)
