"""What this package puts into run folders, known by name and content: nothing else is removed or replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePath

import numpy as np

from pipeline.files import is_blank, root_of
from pipeline.images import SPLITS

_ZIP = b"PK\x03\x04"
_HDF5 = (b"\x89HDF\r\n\x1a\n", b"HEAP", b"TREE")
_SKOPS = (_ZIP, b"schema.json", b"__module__")
_PNG = (b"\x89PNG\r\n\x1a\n", b"IHDR", b"IDAT")
_DRAFT = re.compile(r"\.[0-9]+\.tmp$")
_REPORT = {
    "metrics.json": (b'"accuracy"', b'"split"', b'"schema"'),
    "predictions.csv": (b'"id"', b'"label"', b'"predicted"', b'"predicted('),
    "report.html": (b'http-equiv="content-security-policy"', b'content="light dark"'),
    "confusion_matrix.png": _PNG,
    "curves.png": _PNG,
    "reliability.png": _PNG,
    "precision_recall.png": _PNG,
    "predicted_vs_true.png": _PNG,
    "residuals.png": _PNG,
}
_COMPARISON = {
    "comparison.json": (b'"heads"', b'"split"', b'"schema"'),
    "comparison.csv": (b"rank,", b"accuracy"),
}
_CROSS_VALIDATION = {
    "cross-validation.json": (b'"by_fold"', b'"repeats"', b'"schema"'),
    "predictions.csv": _REPORT["predictions.csv"],
}
_LABEL_CHECK = {
    "labels.json": (b'"suggested"', b'"odd"', b'"checked"', b'"schema"'),
    "labels.html": _REPORT["report.html"],
    "relabel.csv": (b"path,label,split,group,suggested", b",suspected"),
}
_LEARNING_CURVE = {
    "learning-curve.json": (b'"by_draw"', b'"law"', b'"schema"'),
    "learning-curve.png": _PNG,
}
_HEAD = {
    "head.json": (b'"classes"', b'"spec"', b'"feature_shape"'),
    "familiar.bin": (b"familiar",),
    "model.skops": _SKOPS,
    "model.weights.h5": _HDF5,
    "model.zip": (_ZIP, b"shapes.json"),
}
_LEADERBOARD = {
    "leaderboard.csv": (b"rank,head,", b"accuracy"),
    "leaderboard.json": (b'"results"', b'"chosen_on"', b'"schema"'),
    "leaderboard.png": _PNG,
}
_CHOICE = {
    "choice.json": (b'"chosen"', b'"tried"', b'"schema"'),
    "choice.png": _PNG,
    "recipe.toml": (b"[extract]", b"pipeline choose"),
}
_RESULT = (b'"identity"', b'"scores"', b'"schema"')
CARD_MARK = "model card of two-stage-pipeline"
"""Stands in the head of every model card, and tells it from a file of the user's."""
_SAVED_MODEL = ("saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra")


def runs_of(folder: Path) -> Path:
    """Returns the folder of all runs, of that of a head: ``<runs>/<dataset>/<entry>/<head>``."""
    return root_of(folder, 2)


def is_of_a_report(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is one of a report."""
    return _holds(_REPORT, name, head)


def is_page(name: PurePath, head: bytes) -> bool:
    """Tells whether a file, whatever its name, is a page."""
    return _holds({name.name: _REPORT["report.html"]}, PurePath(name.name), head)


def is_of_a_comparison(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is one of a comparison of heads."""
    return _holds(_COMPARISON, name, head)


def is_of_a_cross_validation(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is one of the cross-validation of a head."""
    return _holds(_CROSS_VALIDATION, name, head)


def is_of_a_label_check(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is one of a check of labels."""
    return _holds(_LABEL_CHECK, name, head)


def is_of_a_learning_curve(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is one of a learning curve."""
    return _holds(_LEARNING_CURVE, name, head)


def is_of_a_leaderboard(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is one of a leaderboard."""
    return _holds(_LEADERBOARD, name, head)


def is_of_a_choice(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is one that ``pipeline choose`` leaves."""
    return _holds(_CHOICE, name, head)


def is_result(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is the result of a candidate of a sweep, or its draft."""
    ours = is_blank(head) or any(word in head for word in _RESULT)
    return ours and re.fullmatch(r"[0-9a-f]{12}\.json(\.[0-9]+\.tmp)?", name.name) is not None


def is_of_a_head(name: PurePath, head: bytes) -> bool:
    """Tells whether a file, named as below the folder of a head, is of it, its reports or its exports."""
    above, *below = name.parts
    if above == "seen.bin" and not below:
        return _are_seen_images(head)
    if not below:
        return _holds(_HEAD, name, head)
    if above == "export":
        return is_of_an_export(PurePath(*below), head)
    return above in SPLITS and len(below) == 1 and is_of_a_report(PurePath(*below), head)


def _are_seen_images(head: bytes) -> bool:
    """Tells whether a file may be two lists of shortened digests, each ascending."""
    digests = np.frombuffer(head[: len(head) // 8 * 8], "<u8")
    return len(head) % 8 == 0 and int((digests[1:] < digests[:-1]).sum()) <= 1


def is_of_an_export(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is an exported model or its card, or one of the folder that a model is."""
    if is_model_card(name, head):
        return True
    if len(name.parts) > 1:
        return is_of_a_saved_model(PurePath(*name.parts[1:]), head)
    marks = {".keras": _ZIP, ".onnx": b"\x08", ".tflite": head[:4] + b"TFL3"}
    return name.suffix in marks and head.startswith(marks[name.suffix])


def is_model_card(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is the card of an exported model."""
    return len(name.parts) == 1 and name.suffix == ".md" and (is_blank(head) or CARD_MARK.encode() in head)


def is_of_a_saved_model(name: PurePath, head: bytes) -> bool:
    """Tells whether a file has its place in TensorFlow's SavedModel format."""
    return name.parts[0] in _SAVED_MODEL


def _holds(marks: Mapping[str, tuple[bytes, ...]], name: PurePath, head: bytes) -> bool:
    """Tells whether a file has the name of one of ours and one of its marks: another may be damaged."""
    plain = _DRAFT.sub("", name.name)
    if len(name.parts) > 1 or plain not in marks:
        return False
    if is_blank(head) or (plain.endswith(".json") and head.startswith(b"{")):
        return True
    return any(mark in head.lower() for mark in map(bytes.lower, marks[plain]))
