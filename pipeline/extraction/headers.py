"""What feature files say of themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version

from pipeline.cache.entries import Entry
from pipeline.cache.layout import Header
from pipeline.extraction.loading import Failure
from pipeline.extraction.portions import Portion, Stretch
from pipeline.images.catalog import Catalog
from pipeline.openvino_runtime import openvino_installed

PACKAGES = ("tensorflow", "keras", "h5py", "pillow", "numpy")


@dataclass(frozen=True, eq=False)
class Headers:
    """Makes the headers of all files of a run.

    Attributes:
        catalog: All images of the source.
        views: Augmented views of each training image.
        engine: What runs the base.
        measured: Images per second in each arithmetic, where ``auto`` measured them.
    """

    catalog: Catalog
    views: int
    engine: str
    measured: Mapping[str, float]

    def of(self, entry: Entry, portion: Portion, skipped: Sequence[Failure]) -> dict[str, Header]:
        """Returns the header of each file of a portion by the name of its part.

        Args:
            entry: Where it stands.
            portion: The files.
            skipped: Images of the source that are left out.
        """
        return {
            stretch.part.name: Header(
                spec=entry.spec,
                dataset=entry.dataset,
                source=entry.source,
                split=stretch.part.split,
                classes=tuple(self.catalog.source.classes),
                weights_label=entry.weights_label,
                skipped=self._left_out(stretch, skipped),
                software=self._software,
                number=stretch.part.number,
                count=stretch.part.count,
                whole=self._fingerprints[stretch.part.split] if stretch.part.count > 1 else "",
            )
            for stretch in portion
        }

    def _left_out(self, stretch: Stretch, skipped: Sequence[Failure]) -> tuple[dict[str, str], ...]:
        """Lists what was left out of a file, and what is in no file because it could not be read."""
        if not skipped:
            return ()
        ids = set(self.catalog.splits[stretch.part.split].ids[stretch.start : stretch.stop])
        ids.update(bad.id for bad in self.catalog.unreadable)
        found = (failure for failure in skipped if failure.id in ids)
        return tuple(asdict(failure) for failure in sorted(found, key=lambda failure: failure.id))

    @cached_property
    def _software(self) -> dict[str, str]:
        packages = PACKAGES
        if self.engine == "openvino" and openvino_installed():
            packages += ("openvino",)
        rates = {f"{name} images/s": f"{rate:.1f}" for name, rate in self.measured.items()}
        return {name: version(name) for name in packages} | rates

    @cached_property
    def _fingerprints(self) -> dict[str, str]:
        """What all files of a split have in common: its images, before any is left out, and their views."""
        return {
            split: f"{self.views if split == 'train' else 0} {rows.fingerprint()}"
            for split, rows in self.catalog.splits.items()
        }
