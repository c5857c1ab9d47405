"""The figures of a sitting as rows, and their ratios as the README's table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from measuring import Row
from sitting import COURSE, OWN_FORWARD
from tables import markdown, number, read_table

MARK = "stage-one"
SHOWN = ("end to end", "forward")
"""Words in the names of the rows that the README shows."""


def describe(rows: Sequence[Row], backbone: str) -> list[dict[str, object]]:
    """Returns a row of the CSV table for each row of a sitting."""
    course = next(row for row in rows if row.what == COURSE)
    own = {row.arithmetic: row for row in rows if row.what == OWN_FORWARD}
    fastest = min(own.values(), key=lambda row: row.seconds)
    described = []
    for row in rows:
        seconds = [one.seconds for one in row.passes]
        described.append(
            {
                "what": row.what,
                "backbone": backbone,
                "arithmetic": row.arithmetic,
                "batch": row.batch or "",
                "images": row.images or "",
                "seconds": number(row.seconds if seconds else None, 3),
                "cpu_seconds": number(row.cpu_seconds, 3),
                "images_per_second": number(row.images / row.seconds if seconds else None, 1),
                "ratio_to_course": number(row.ratio_to(course), 2),
                # Arithmetics of which the own engine has none are held against its fastest.
                "ratio_to_own_forward": number(row.ratio_to(own.get(row.arithmetic, fastest)), 3),
                "seconds_min_max": f"{min(seconds):.3f}-{max(seconds):.3f}" if seconds else "",
                "others_share": number(row.others, 2),
                "note": row.note,
            }
        )
    return described


def summary(results: Path) -> str:
    """Returns the README's table of ratios, from a results file."""
    rows = read_table(results)
    cells = [
        (row["what"], row["arithmetic"], row["ratio_to_course"], row["ratio_to_own_forward"])
        for row in rows
        if row["ratio_to_course"] and any(words in row["what"] for words in SHOWN)
    ]
    table = markdown(["what", "arithmetic", "/ course method", "/ own forward"], cells)
    first = rows[0]
    backbone, images = first["backbone"], first["images"]
    caption = f"{backbone}, {images} photographs; {first['machine']}; {first['date']}."
    return f"{table}\n\n{caption}"
