"""Where a model and its card are put: an older model gives way, anything else stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.errors import UsageError, disk_errors
from pipeline.files import make_folder, refuse_links, replace, written
from pipeline.heads import TrainedHead
from pipeline.publishing import put_in_place
from pipeline.run_files import is_model_card, is_of_a_saved_model, is_of_an_export, runs_of
from pipeline.serving.export._format import Format


def own_place(trained: TrainedHead, module: Format) -> tuple[Path, Path]:
    """Returns a place in the head's folder, which training it anew empties, and the folder of all runs."""
    if trained.folder is None:
        raise UsageError("a head that was not saved has no folder of its own: say where to write the model")
    name = f"{trained.dataset}-{trained.name}{module.SUFFIX}"
    return trained.folder / "export" / name, runs_of(trained.folder)


def refuse_target(target: Path, module: Format, format: str) -> None:
    """Refuses a place where no model of a format may be put.

    Raises:
        UsageError: Its name ends otherwise, or something else stands there.
    """
    if module.SUFFIX and target.suffix != module.SUFFIX:
        raise UsageError(
            f"--out {str(target)!r}: the name of a file of format {format} ends with {module.SUFFIX}"
        )
    if target.exists() and not module.recognises(target):
        raise UsageError(f"--out {str(target)!r} exists and is no {format} model: choose another place")


@contextmanager
def replacing(target: Path, *, root: Path | None = None) -> Iterator[Path]:
    """Gives the path of a draft, and puts it in the place of ``target`` when the block has succeeded.

    After an error, or Ctrl-C, the draft is removed and whatever stood there stays as it was.

    Args:
        target: A file or folder; an older model, see ``Format.recognises``, gives way.
        root: The folder that the user named; None where that is the target itself, which may then be a link.

    Raises:
        ForeignFileError: A link stands on the way below ``root``, or something else is no model.
        OSError: It cannot be written.
    """
    if root is None:
        target = target.resolve()
        root = target.parent
    make_folder(target.parent, root=root)
    refuse_links(target, root=root, folder=target.is_dir())
    with TemporaryDirectory(prefix=".export-", dir=target.parent) as scratch:
        draft = Path(scratch, f"draft{target.suffix}")
        yield draft
        if draft.is_dir():
            put_in_place(draft, target, root=root, known=is_of_a_saved_model)
        else:
            replace(draft, target, root=root, known=is_of_an_export)


def card_of(target: Path) -> Path:
    """Returns the place of the card of a model."""
    return target.with_name(f"{target.name}.md")


def put_card(text: str, target: Path, root: Path | None) -> Path:
    """Writes the card beside a model; an older card gives way.

    Raises:
        ForeignFileError: Something else stands there; the model is whole all the same.
        PipelineError: It cannot be written.
    """
    path = card_of(target)
    with (
        disk_errors(f"the model card cannot be written to {path}", "The model is whole; export it elsewhere"),
        written(path, root=root or path.parent, known=is_model_card) as file,
    ):
        file.write(text.encode("utf-8", "backslashreplace"))
    return path
