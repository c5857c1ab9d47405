"""``pipeline learning-curve``: what it prints, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result
from photos import Photos

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]


def test_it_measures_on_val_and_says_where_the_files_are(
    extract: Cli, photos: Photos, cli: Cli, the_object: Read
) -> None:
    for split, count in (("train", 24), ("val", 6)):
        for name in ("cats", "dogs"):
            photos.add(f"{split}/{name}", count)
    assert extract().exit_code == 0
    stored = ["--data", photos.root, "--draws", 2, "--head", "prototype"]
    described = the_object(cli("learning-curve", *stored, "--json"))
    assert (described["split"], described["n"], described["rows"][-1]) == ("val", 12, 48)
    assert (Path(described["folder"]) / "learning-curve.png").is_file()
    result = cli("learning-curve", *stored)
    assert "twice as many images would bring" in result.stdout
    refused = cli("learning-curve", *stored, "--split", "test")
    assert refused.exit_code == 2
    assert "photos has train and val" in refused.stderr
