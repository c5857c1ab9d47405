"""Images that gave no answer: told on stderr, and the command ends with 3."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import UnreadableImagesError
from pipeline.images import BadImage
from pipeline.progress import say
from pipeline.wording import counted

SHOWN = 20


def refuse_unreadable(failures: Sequence[BadImage], *, answered: int) -> None:
    """Tells which images gave no answer, once all others have.

    Args:
        failures: Those images.
        answered: How many others there are.

    Raises:
        UnreadableImagesError: There is one.
    """
    for failure in failures[:SHOWN]:
        say(f"unreadable: {failure.id!r}: {failure.reason}")
    hidden = len(failures) - SHOWN
    if hidden > 0:
        say(f"... and {hidden:,} more (all of them with --json)")
    if failures:
        raise UnreadableImagesError(
            f"{len(failures):,} of {counted(len(failures) + answered, 'image')} gave no answer; "
            "all others are above. Mend or remove them and run again"
        )
