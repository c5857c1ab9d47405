"""What reports of every kind tell, for whoever compares heads, logs them or ranks them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

from pipeline.errors import UsageError
from pipeline.evaluation.ledger import Looks
from pipeline.images.row_table import RowTable
from pipeline.spec import FeatureSpec


class HeadReport(Protocol):
    """The report of one head on one split, whatever its answers are: see ``Report`` and ``TargetReport``."""

    @property
    def head(self) -> str:
        """Name of the head."""

    @property
    def dataset(self) -> str:
        """Name of the data set."""

    @property
    def split(self) -> str:
        """``train``, ``val`` or ``test``."""

    @property
    def target(self) -> str:
        """What the images have, as ``pipeline.images.targets`` names it."""

    @property
    def spec(self) -> FeatureSpec:
        """What determined the features."""

    @property
    def history(self) -> dict[str, list[float]]:
        """Figures by epoch of the head's training."""

    @property
    def run(self) -> Path | None:
        """The run folder of the head; None where it is not saved."""

    @property
    def folder(self) -> Path:
        """Where the files of the report belong."""

    @property
    def entry(self) -> Path:
        """Where the heads of the same features stand."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks without which the figures would mislead."""

    @property
    def looks(self) -> Looks | None:
        """How often the split was looked at; None for a head that is not saved."""

    @property
    def trained_on(self) -> int | None:
        """Measured images that the head was trained on; None where that is not known."""

    @property
    def validated_on(self) -> int | None:
        """Measured images that the head was chosen on; None where that is not known."""

    @property
    def rows(self) -> RowTable:
        """The rows, without augmented views."""

    @property
    def rows_measured(self) -> int:
        """Images that count in the figures."""

    @property
    def scalars(self) -> Mapping[str, float | None]:
        """The figures over all classes, labels or numbers by name, ends of intervals among them.

        These end in ``_low`` and ``_high``; what is not defined is None or missing.
        """


class BesideHead:
    """Where the files of a report belong, for whatever is a :class:`HeadReport`."""

    @property
    def folder(self) -> Path:
        """Where the files of this report belong: a folder named after the split, beside the head."""
        return self._saved / cast("HeadReport", self).split

    @property
    def entry(self) -> Path:
        """Where the heads of the same features stand, ``<runs>/<dataset>/<entry>``."""
        return self._saved.parent

    @property
    def _saved(self) -> Path:
        report = cast("HeadReport", self)
        if report.run is None:
            raise UsageError(f"head {report.head} is not saved, so its report has no place: name a folder")
        return report.run
