from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipeline.evaluation.leaks import KINDS, NOT_LOOKED_FOR, Finding, Leaks, Place
from pipeline.evaluation.leaks.findings import print_leaks

NEVER = f"Not looked for: {NOT_LOOKED_FOR}"


def printed(leaks: Leaks, width: int = 80) -> str:
    stream = io.StringIO()
    print_leaks(leaks, console=Console(file=stream, width=width))
    return stream.getvalue()


def finding(kind: str, number: int = 0, value: float = 0.0) -> Finding:
    places = (Place(split, f"{split}/cats/{number:03d}.jpg", "cats") for split in ("train", "test"))
    return Finding(kind, *places, value)


@pytest.mark.parametrize("kind", KINDS)
def test_both_places_are_named(kind: str) -> None:
    text = printed(Leaks((finding(kind, 7, 0.75),)))
    assert f"{kind}: 1, " in text
    assert all(f"{split}/cats/007.jpg" in text for split in ("train", "test"))
    assert ("0.750" in text) == (kind in ("near", "augmented", "named"))
    assert ("To mend it: remove the copies, or" in text) == (kind not in ("near", "conflict", "group"))


def test_only_the_surest_of_many_are_shown() -> None:
    text = printed(Leaks(tuple(finding("exact", number) for number in range(25))))
    assert "train/cats/019.jpg" in text
    assert "train/cats/020.jpg" not in text
    assert "... and 5 more: --json has them all" in text


def test_the_last_line_tells_what_it_amounts_to() -> None:
    leaks = Leaks(
        (finding("exact"), finding("near"), finding("near")),
        ("a note",),
        {"train": 2000, "test": 1},
        {"train": 3},
    )
    *_, last = lines = printed(leaks, 400).splitlines()
    assert last == f"1 leak, 2 pictures to look at (train 2,000, test 1). {NEVER}"
    assert lines[0] == "! a note"
    assert "3 images of train repeat another of the same split" in lines


def test_nothing_found_is_said() -> None:
    text = printed(Leaks(checked={"train": 1}), 400)
    assert text == f"0 leaks, 0 pictures to look at (train 1). {NEVER}\n"


@pytest.mark.parametrize("what", ["cut-outs", "other angles", "colours", "several photographs"])
def test_what_is_not_looked_for_is_said(what: str) -> None:
    assert what in NEVER


def test_hostile_names_are_shown_and_steer_nothing(hostile: tuple[str, ...]) -> None:
    found = [Finding("exact", Place("train", name, name), Place("test", name, name)) for name in hostile]
    text = printed(Leaks(tuple(found), notes=hostile))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold red]markup[/] :smile:" in text
    assert all(len(line) <= 80 for line in text.splitlines())
