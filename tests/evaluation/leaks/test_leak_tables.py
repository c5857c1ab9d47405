from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipeline.evaluation.leaks import KINDS, Finding, Leaks, Place
from pipeline.evaluation.leaks.tables import print_leaks


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
    assert ("0.750" in text) == (kind == "near")


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
    *_, last = lines = printed(leaks).splitlines()
    assert last == "1 leak, 2 near pictures to look at (train 2,000, test 1)"
    assert lines[0] == "! a note"
    assert "3 images of train repeat another of the same split" in lines


def test_nothing_found_is_said() -> None:
    assert printed(Leaks(checked={"train": 1})) == "0 leaks, 0 near pictures to look at (train 1)\n"


def test_hostile_names_are_shown_and_steer_nothing(hostile: tuple[str, ...]) -> None:
    found = [Finding("exact", Place("train", name, name), Place("test", name, name)) for name in hostile]
    text = printed(Leaks(tuple(found), notes=hostile))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold red]markup[/] :smile:" in text
    assert all(len(line) <= 80 for line in text.splitlines())
