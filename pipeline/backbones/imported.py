"""Features that were imported: what made them is not here."""

from __future__ import annotations

from pipeline.errors import UsageError
from pipeline.spec import IMPORTED, FeatureSpec


def refuse_imported(spec: FeatureSpec) -> None:
    """Refuses features whose base is not here, where it is needed.

    Raises:
        UsageError: They were imported.
    """
    if spec.engine == IMPORTED:
        raise UsageError(
            f"the features of {spec.backbone!r} were imported, and this program cannot make such features of "
            "an image: that needs a base that `pipeline extract` knows, see docs/backbones.md"
        )
