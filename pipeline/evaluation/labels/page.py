"""The page to look through: each suspect beside what is most like it, and a key for keep, change and drop."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

import pipeline
from pipeline.cache import FeatureSet
from pipeline.evaluation.labels import LabelCheck, Suspect
from pipeline.evaluation.labels.odd import OddImage
from pipeline.evaluation.labels.page_values import told_values
from pipeline.evaluation.labels.relabel import RelabelRow
from pipeline.evaluation.labels.target_suspects import NumberSuspect, TargetSuspect
from pipeline.evaluation.page.html import STYLES, embed, render
from pipeline.evaluation.page.pictures import NAME, Album, encode
from pipeline.evaluation.source_table import TableForm
from pipeline.images import SPLITS, ImageSource
from pipeline.images.targets import CLASS, NOUNS, NUMBER
from pipeline.wording import readable

SIZE = 160
SHOWN = 300
"""Images that are shown, with up to three beside each: about 8 MB."""
ALIKE = 3
BLANK = 4.0
"""Standard deviation of the pixels, of 255 levels, below which a picture is of one colour."""
MOST_TOLD = 200
"""Characters of the labels, or numbers, of an image."""
MEANING = {
    "repeated": "the same picture is there {value:.0f} times, as placeholders are",
    "unlike": "unlike anything in its class: the nearest of it have a cosine of {value:.2f}",
    "blank": "all of one colour",
}


@dataclass(frozen=True)
class Face:
    """A picture with its words."""

    id: str
    name: str
    words: str


@dataclass(frozen=True)
class Item:
    """Something to decide: an image, its likes, what is wrong with it, and what is suggested for it.

    Attributes:
        row: The image.
        faces: It, and what is like it.
        words: What is wrong.
        suggested: The class to change it to, or the label to change; empty = nothing is suggested.
        lead: What the button says before that.
        change: What the decision is called when it is taken; empty of classes.
        decision: What to do with it: the class; or the label and whether it is to be there.
    """

    row: int
    faces: tuple[Face, ...]
    words: str
    suggested: str = ""
    lead: str = "Change to"
    change: str = ""
    decision: int | list[int] | None = None


def read_pictures(check: LabelCheck, images: ImageSource | None) -> tuple[dict[str, np.ndarray], str]:
    """Reads what the page shows: uint8 (160, 160, 3) by id, and a note on what cannot be shown."""
    rows = check.rows
    known = {name: digest.tobytes() for name, digest in zip(rows.ids, rows.digests, strict=True)}
    album = Album(images, known, check.features.spec)
    shown = items_of(check)[:SHOWN]
    found = album.read([face.id for item in shown for face in item.faces], size=SIZE)
    return found, album.note


def with_blanks(check: LabelCheck, pictures: Mapping[str, np.ndarray]) -> LabelCheck:
    """Says of odd images whose picture is of one colour that they are blank."""
    ids, digests = check.rows.ids, check.rows.digests
    seen = {digests[one.row].tobytes(): pictures.get(ids[one.row]) for one in reversed(check.odd)}
    blank = {
        digest
        for digest, picture in seen.items()
        if picture is not None and float(picture.std(axis=(0, 1)).max()) < BLANK
    }
    odd = (replace(one, kind="blank") if digests[one.row].tobytes() in blank else one for one in check.odd)
    return replace(check, odd=tuple(odd))


def items_of(check: LabelCheck) -> list[Item]:
    """Returns what is to be decided: suspects, then odd images, of files that are the same the first."""
    items = [_suspect(check, one) for one in check.suspects]
    rows, every = check.rows, check.features
    seen = {rows.digests[one.row].tobytes() for one in check.suspects}
    for one in check.odd:
        digest = rows.digests[one.row].tobytes()
        if digest not in seen:
            seen.add(digest)
            face = _face(check, one.row, _labelled(every, one.row))
            items.append(Item(one.row, (face,), meaning(check, one)))
    return items


def meaning(check: LabelCheck, one: OddImage) -> str:
    """Says in words what is odd about an image."""
    words = MEANING[one.kind].format(value=one.value)
    if check.features.target == CLASS:
        return words
    return words.replace("in its class: the nearest of it", "else: the nearest")


def render_labels(
    check: LabelCheck,
    pictures: Mapping[str, np.ndarray],
    note: str,
    rows: list[RelabelRow],
    form: TableForm,
) -> str:
    """Returns the page, one file that loads nothing.

    Args:
        check: What was found.
        pictures: See :func:`read_pictures`.
        note: What cannot be shown.
        rows: All images as the saved table names them; empty where they have no files of their own.
        form: How the saved table tells labels.
    """
    every, classes = items_of(check), list(check.features.classes)
    items = every[:SHOWN]
    place = {row.row: i for i, row in enumerate(rows)}
    data = {
        "key": _key(check, items),
        "classes": classes,
        "names": [readable(name) for name in classes],
        "splits": list(SPLITS),
        **told_values(check.features, [row.row for row in rows], form),
        "rows": [[row.path, row.label, SPLITS.index(row.split), row.group] for row in rows],
        "items": [
            {
                "suggested": one.decision,
                **({"change": one.change} if one.change else {}),
                "rows": [place[row] for row in check.same_picture(one.row) if row in place],
            }
            for one in items
        ],
    }
    contents = {
        "dataset": check.features.dataset,
        "checked": check.checked,
        "suspects": len(check.suspects),
        "noun": NOUNS[check.features.target] if check.features.target == NUMBER else "label",
        "has_classes": check.features.target == CLASS,
        "can_change": check.features.target != NUMBER,
        "options": form.options,
        "odd": sum(not check.suspected[one.row] for one in check.odd),
        "hidden": len(every) - len(items),
        "items": items,
        "faces": {name: encode(picture) for name, picture in pictures.items()},
        "notes": [one for one in (*check.notes, note) if one],
        "effect": check.effect.line if check.effect else "",
        "readable_back": bool(rows),
        "created_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "version": pipeline.__version__,
        "data": embed(data),
    }
    return render(contents, page="labels.html.j2", styles=(*STYLES, "labels.css"), scripts=("labels.js",))


def _key(check: LabelCheck, items: list[Item]) -> str:
    """Names what is decided on this page, so that the browser brings back the decisions of no other."""
    digests = check.rows.digests[[one.row for one in items]]
    asked = "".join(one.change or one.words for one in items) if check.features.target != CLASS else ""
    what = f"{check.features.dataset} ".encode() + digests.tobytes() + asked.encode()
    return hashlib.sha256(what).hexdigest()[:16]


def _suspect(check: LabelCheck, one: Suspect | TargetSuspect) -> Item:
    names = check.features.classes
    faces = [_face(check, one.row, _labelled(check.features, one.row))]
    faces += [_face(check, row, words) for row, words in one.likes(names)[:ALIKE]]
    return Item(one.row, tuple(faces), one.words(names), **_suggestion(one, names))


def _suggestion(one: Suspect | TargetSuspect, names: Sequence[str]) -> dict[str, Any]:
    """Returns what can be changed with a key; of a number, nothing: what is predicted is no truth."""
    if isinstance(one, Suspect):
        return {"suggested": names[one.suggested], "decision": one.suggested}
    if isinstance(one, NumberSuspect):
        return {}
    lead = "does not have" if one.given else "has"
    return {
        "suggested": names[one.part],
        "lead": f"Change: {lead}",
        "change": f"{lead} {readable(names[one.part])}",
        "decision": [one.part, int(not one.given)],
    }


def _labelled(features: FeatureSet, row: int) -> str:
    """Says what an image has; several labels or numbers are longer than the name of a class."""
    return f"labelled {readable(features.told(row) or '', 40 if features.target == CLASS else MOST_TOLD)}"


def _face(check: LabelCheck, row: int, words: str) -> Face:
    name: Any = check.rows.ids[row]
    return Face(name, readable(name, NAME), words)
