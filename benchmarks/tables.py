"""Results as files: CSV tables, and the ratios among them as a table in the README."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline import hardware

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "tensorflow",
    "keras",
    "openvino",
    "nncf",
    "onnxruntime",
    "torch",
    "h5py",
    "hdf5plugin",
    "pillow",
    "cykooz-resizer",
    "opencv-python-headless",
    "simplejpeg",
    "numpy",
    "ray",
)
TELLING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


def write_table(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Writes rows of equal keys as CSV, each with the machine, the versions and the day behind it.

    Rows that were read from a table keep theirs.
    """
    about = surroundings()
    write_rows(path, [{**row, **{name: row.get(name, own) for name, own in about.items()}} for row in rows])


def surroundings() -> dict[str, str]:
    """Returns the machine, the versions and the day, as they stand behind each row."""
    return {"machine": machine(), "versions": versions(), "date": f"{datetime.now(UTC):%Y-%m-%d}"}


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Writes rows of equal keys as CSV, at once: whoever is stopped here leaves the older file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial")
    with open(unfinished, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    unfinished.replace(path)


def read_table(path: Path) -> list[dict[str, str]]:
    """Reads what ``write_table`` wrote; no rows where it has not written yet."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(value: float | None, decimals: int) -> str:
    """Formats a figure; empty where there is none."""
    return "" if value is None else f"{value:.{decimals}f}"


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table; all columns but the first two are figures."""
    rules = ["---" if position < 2 else "---:" for position in range(len(columns))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rules, *rows))


def replace_between_marks(path: Path, name: str, text: str) -> None:
    """Renews what stands between ``<!-- bench:name -->`` and ``<!-- /bench -->`` in a file.

    Raises:
        SystemExit: The file has no such marks.
    """
    before = path.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- bench:{re.escape(name)} -->\n).*?(<!-- /bench -->)", re.DOTALL)
    after, count = pattern.subn(lambda marks: f"{marks[1]}{text}\n{marks[2]}", before)
    if not count:
        raise SystemExit(f"{path} has no <!-- bench:{name} --> ... <!-- /bench -->")
    path.write_text(after, encoding="utf-8")


def machine() -> str:
    """Names the processor, its cores that may be used, and what of its arithmetic matters here."""
    known = hardware.flags()
    telling = " ".join(flag for flag in TELLING_FLAGS if flag in known)
    return f"{hardware.processor()} / {hardware.cores()} cores / {telling}".rstrip(" /")


def versions() -> str:
    """Lists the versions of what was measured, as far as it is installed."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return "; ".join(found)
