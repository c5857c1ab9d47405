"""The report page: one HTML file that shows a head's figures, its mistakes and its features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.cache import FeatureSet
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.files import not_written
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.page.contents import gather
from pipeline.evaluation.page.html import render
from pipeline.evaluation.report import Report
from pipeline.files import make_folder, written
from pipeline.heads import TrainedHead
from pipeline.images import ImageSource
from pipeline.run_files import is_page

__all__ = ["write_report_page"]


def write_report_page(
    report: Report,
    path: Path,
    *,
    head: TrainedHead,
    features: Mapping[str, FeatureSet],
    images: ImageSource | None = None,
    leaks: Leaks | None = None,
    comparison: Comparison | None = None,
) -> Path:
    """Writes the page that shows all that is known about one evaluation.

    The page is one file that loads nothing, works without a network, and says what it could not show.

    Args:
        report: What was evaluated.
        path: The file to write; an older one is replaced when the new one is whole.
        head: The evaluated head.
        features: The splits of the entry by name; without the evaluated one there is no map.
        images: Where the pictures come from; None where they are gone.
        leaks: What a leak check found; None where none was made.
        comparison: This head and others on the same rows; None where none were compared.

    Returns:
        ``path``.

    Raises:
        CacheMismatchError: A row of the features is damaged.
        PipelineError: The file cannot be written, or something that is no report page stands there.
    """
    text = render(gather(report, head, features=features, images=images, leaks=leaks, comparison=comparison))
    with not_written(f"the report page cannot be written to {path}"):
        make_folder(path.parent, root=path.parent)
        with written(path, root=path.parent, known=is_page) as file:
            file.write(text.encode())
    return path
