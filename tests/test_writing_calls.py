"""Whatever is written or removed goes through two modules, which pass no link and know the package's own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUARDED = {"pipeline/files.py", "pipeline/publishing.py"}
FILES = sorted(
    path for path in (ROOT / "pipeline").rglob("*.py") if str(path.relative_to(ROOT)) not in GUARDED
)

ANYWHERE = {
    "write_text",
    "write_bytes",
    "unlink",
    "rmdir",
    "rename",
    "mkdir",
    "touch",
    "symlink_to",
    "hardlink_to",
    "tofile",
    "save",
    "savefig",
    "save_weights",
    "save_model",
    "memmap",
}
"""Methods of paths, arrays, figures and networks that write, remove or may."""
OF_MODULES = {
    "os": {
        *("open", "remove", "unlink", "rename", "renames", "replace", "mkdir", "makedirs", "rmdir"),
        *("removedirs", "link", "symlink", "truncate", "mkfifo", "mknod", "chmod", "chown", "utime"),
    },
    "shutil": {"rmtree", "move", "copy", "copy2", "copyfile", "copytree", "make_archive", "unpack_archive"},
    "tempfile": {"TemporaryDirectory", "NamedTemporaryFile", "mkdtemp", "mkstemp"},
    "sqlite3": {"connect"},
    "np": {"savez", "savez_compressed", "savetxt"},
    "io": {"dump", "FileIO"},
}
"""Functions of modules; ``np`` is NumPy, and ``io`` also that of skops."""

DRAFT = "into a draft that publishing.published has just made"
EXPORT = "into a draft that serving/export/_replacing.py has just made"
CHECKED = "after files.check_database"
IN_MEMORY = "into memory"
TRUSTED = {
    ("pipeline/backbones/hubs/__init__.py", "tempfile.TemporaryDirectory"): "of the system, for a download",
    ("pipeline/backbones/hubs/timm.py", "write_text"): "into that folder",
    ("pipeline/backbones/hubs/keras_hub.py", "write_text"): "into that folder",
    ("pipeline/backbones/shelf.py", "shutil.copyfile"): DRAFT,
    ("pipeline/backbones/shelf.py", "write_text"): DRAFT,
    ("pipeline/cache/exchange/exporting.py", "tempfile.TemporaryDirectory"): "beside the file, for a draft",
    ("pipeline/cache/exchange/formats/csv.py", "open"): "into that folder",
    ("pipeline/cache/exchange/formats/csv.py", "write_text"): "into that folder",
    ("pipeline/cache/exchange/formats/npy.py", "open"): "into that folder",
    ("pipeline/cache/exchange/formats/npy.py", "write_text"): "into that folder",
    ("pipeline/cache/exchange/formats/npz.py", ".open"): "into an archive in that folder",
    ("pipeline/cache/partial_file.py", "h5py.File"): "a draft that files.create has just made",
    ("pipeline/cache/format.py", "memmap"): "mode r",
    ("pipeline/cache/writer.py", "save"): "Entry.save, which is guarded",
    ("pipeline/choosing/picture.py", "savefig"): "into the open file of files.written",
    ("pipeline/evaluation/comparison.py", ".open"): DRAFT,
    ("pipeline/evaluation/files.py", "write_text"): DRAFT,
    ("pipeline/evaluation/labels/files.py", ".open"): DRAFT,
    ("pipeline/evaluation/labels/files.py", "write_text"): DRAFT,
    ("pipeline/evaluation/report.py", ".open"): DRAFT,
    ("pipeline/evaluation/plots.py", "savefig"): DRAFT,
    ("pipeline/evaluation/page/pictures.py", "save"): IN_MEMORY,
    (
        "pipeline/extraction/engines/_networks.py",
        "save_model",
    ): "a name by chance, in a folder that is held alone",
    ("pipeline/heads/_core/member_files.py", "tempfile.TemporaryDirectory"): "of the system, for a while",
    ("pipeline/heads/_keras/network.py", "save_weights"): DRAFT,
    ("pipeline/heads/_keras/stack.py", "save_weights"): DRAFT,
    ("pipeline/heads/_core/saving.py", "save"): DRAFT,
    ("pipeline/heads/_sklearn/per_label.py", "write_text"): "into a temporary folder, for an archive",
    ("pipeline/heads/_core/saving.py", "write_bytes"): DRAFT,
    ("pipeline/heads/_core/saving.py", "os.open"): "reads in a folder that is held open",
    ("pipeline/heads/_sklearn/skops.py", "io.dump"): DRAFT,
    ("pipeline/heads/_sklearn/skops.py", ".open"): "adds to the archive that it has just made in a draft",
    ("pipeline/images/sources/_files.py", "os.open"): "reads images",
    ("pipeline/record_store.py", "sqlite3.connect"): CHECKED,
    ("pipeline/serving/export/_placing.py", "tempfile.TemporaryDirectory"): "in a folder that was checked",
    ("pipeline/serving/export/keras.py", "save"): EXPORT,
    ("pipeline/serving/export/litert.py", "write_bytes"): EXPORT,
    ("pipeline/serving/export/onnx.py", "save_model"): EXPORT,
    ("pipeline/serving/export/savedmodel.py", "mkdir"): EXPORT,
    ("pipeline/serving/export/savedmodel.py", "save"): EXPORT,
    ("pipeline/serving/export/savedmodel.py", "write_text"): EXPORT,
    ("pipeline/serving/evidence_files.py", "save"): "into the open file of files.written",
    ("pipeline/serving/web/thumbnails.py", "save"): IN_MEMORY,
    ("pipeline/sweeps/__init__.py", "save"): "ResultStore.save, which is guarded",
    ("pipeline/sweeps/cross_validation_files.py", ".open"): DRAFT,
    ("pipeline/sweeps/fitting.py", "save"): "into a temporary folder of the system",
    ("pipeline/sweeps/fitting.py", "tempfile.TemporaryDirectory"): "of the system, to measure a size",
    ("pipeline/sweeps/leaderboard.py", "savefig"): "into the open file of files.written",
}
"""What is used all the same: (file, name), and why."""


def is_written(mode: ast.expr | None) -> bool:
    """Tells whether a mode of a file is one to write; one that is not spelt out may be."""
    if mode is None:
        return False
    return not isinstance(mode, ast.Constant) or bool(set(str(mode.value)) & set("wax+"))


def mode_of(call: ast.Call, place: int) -> ast.expr | None:
    named = [word.value for word in call.keywords if word.arg == "mode"]
    return (named or [*call.args[place : place + 1], None])[0]


def writing(call: ast.Call) -> str:
    """Names what a call may write or remove; empty where it cannot."""
    function = call.func
    if isinstance(function, ast.Name):
        return "open" if function.id == "open" and is_written(mode_of(call, 1)) else ""
    if not isinstance(function, ast.Attribute):
        return ""
    name = function.attr
    owner = (
        function.value.attr
        if isinstance(function.value, ast.Attribute)
        else getattr(function.value, "id", "")
    )
    if name in OF_MODULES.get(owner, ()):
        return f"{owner}.{name}"
    if owner == "h5py" and name == "File":
        return "h5py.File" if is_written(mode_of(call, 1)) else ""
    if name == "open" and owner not in ("os", "Image"):
        written = any(
            isinstance(one, ast.Constant)
            and isinstance(one.value, str)
            and set(one.value) <= set("rwax+bt")
            and is_written(one)
            for one in [*call.args, *(word.value for word in call.keywords)]
        )
        return ".open" if written else ""
    if name == "replace" and len(call.args) == 1 and not call.keywords:  # of a text there are two
        return ".replace"
    return name if name in ANYWHERE else ""


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Yields line and name of every call that may write or remove, and of such functions imported by name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and (name := writing(node)):
            yield node.lineno, name
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name in OF_MODULES.get(node.module or "", ()):
                    yield node.lineno, f"{node.module}.{alias.name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_else_writes_or_removes(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    found = [(line, what) for line, what in calls(path) if (name, what) not in TRUSTED]
    assert not found, f"{name} {found}: use pipeline/files.py, see SECURITY.md"


def test_every_exception_is_needed() -> None:
    found = {(str(path.relative_to(ROOT)), what) for path in FILES for _, what in calls(path)}
    assert set(TRUSTED) <= found
    assert all(TRUSTED.values())


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("open(p, 'w')", ["open"]),
        ("open(p, mode)", ["open"]),
        ("open(p, 'rb')", []),
        ("p.open('r+b')", [".open"]),
        ("p.open(mode='ab')", [".open"]),
        ("p.open('rb')", []),
        ("os.open(p, flags)", ["os.open"]),
        ("os.replace(a, b)", ["os.replace"]),
        ("draft.replace(target)", [".replace"]),
        ("text.replace('a', 'b')", []),
        ("from os import unlink", ["os.unlink"]),
        ("from shutil import rmtree", ["shutil.rmtree"]),
        ("h5py.File(p, 'r+')", ["h5py.File"]),
        ("h5py.File(p, 'r')", []),
        ("network.save_weights(p)", ["save_weights"]),
        ("skops.io.dump(x, p)", ["io.dump"]),
        ("sqlite3.connect(p)", ["sqlite3.connect"]),
        ("p.unlink(missing_ok=True)", ["unlink"]),
    ],
)
def test_the_search_finds_what_it_looks_for(code: str, found: list[str], tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(code)
    assert [what for _, what in calls(path)] == found
