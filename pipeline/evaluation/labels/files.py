"""What is kept of a check of labels, and what a terminal shows of it."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.evaluation.files import replacing, software, write_json
from pipeline.evaluation.labels import LabelCheck
from pipeline.evaluation.labels.page import meaning, read_pictures, render_labels, with_blanks
from pipeline.evaluation.labels.relabel import relabel_rows, write_relabel
from pipeline.evaluation.source_table import form_of
from pipeline.files import root_of
from pipeline.images import ImageSource
from pipeline.images.source_options import SourceOptions
from pipeline.images.targets import NUMBER
from pipeline.run_files import is_of_a_label_check
from pipeline.wording import counted, readable

AS_THEY_ARE = SourceOptions()
FOLDER = "labels"
RECORD, PAGE, TABLE = "labels.json", "labels.html", "relabel.csv"
MOST = 20
NO_FILES = (
    "the images are gone, or have no files of their own that a table could name, so there is no relabel.csv: "
    "labels.json lists what was found"
)


def write_label_check(
    check: LabelCheck,
    images: ImageSource | None,
    entry: Path,
    *,
    options: SourceOptions = AS_THEY_ARE,
) -> tuple[LabelCheck, Path]:
    """Writes labels.json, labels.html and relabel.csv.

    Args:
        check: What was found.
        images: Where the pictures come from; None where they are gone.
        entry: Where the heads of the entry stand, ``<runs>/<dataset>/<entry>``.
        options: How the source is read: the table tells labels in the same form.

    Returns:
        The check, with what only pictures tell; and the folder.

    Raises:
        UsageError: Something that is no check of labels stands there.
        PipelineError: The folder cannot be written.
    """
    folder = entry / FOLDER
    pictures, note = read_pictures(check, images)
    check, rows = with_blanks(check, pictures), relabel_rows(check, images)
    notes = [] if rows else [NO_FILES]
    form = form_of([check.features], options)
    page = render_labels(check, pictures, " ".join(filter(None, [note, *notes])), rows, form)
    root = root_of(folder, 3)  # <runs>/<dataset>/<entry>/labels
    with replacing(folder, RECORD, known=is_of_a_label_check, root=root) as fresh:
        write_json(check.to_json() | {"software": software()}, fresh / RECORD)
        (fresh / PAGE).write_text(page, encoding="utf-8")
        if rows:
            with (fresh / TABLE).open("w", encoding="utf-8", newline="") as file:
                write_relabel(check, rows, file, form)
    return check, folder


def print_label_check(check: LabelCheck, *, console: Console) -> None:
    """Prints what was found: the surest errors, the odd images, and what the errors cost."""
    classes, ids = check.features.classes, check.rows.ids
    noun = "number" if check.features.target == NUMBER else "label"
    found, odd_ones = counted(len(check.suspects), noun), counted(len(check.odd), "image")
    title = f"{found} of {counted(check.checked, 'image')} likely wrong, {odd_ones} odd"
    console.print(Text(title, style="bold"))
    for note in check.notes:
        console.print(Text(f"! {note}", style="bold yellow"))
    if check.suspects:
        table = Table("image", "split", *check.suspects[0].cells(classes), box=box.SIMPLE)
        table.add_column("score", justify="right")
        for one in check.suspects[:MOST]:
            names = (ids[one.row], str(check.split[one.row]), *one.cells(classes).values())
            table.add_row(*(Text(readable(name)) for name in names), f"{one.score:.3f}")
        console.print(table)
    for odd in check.odd[:MOST]:
        console.print(Text(f"{readable(ids[odd.row], 80)}: {meaning(check, odd)}"))
    if max(len(check.suspects), len(check.odd)) > MOST:
        console.print(Text(f"The first {MOST} of each; {RECORD} has all."))
    if check.effect is not None:
        console.print(Text(check.effect.line))
