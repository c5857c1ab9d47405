"""The recipes that come with the package, known by their names."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import UsageError, unknown

FOLDER = Path(__file__).parent / "recipes"
_SUFFIX = ".toml"


def shipped() -> dict[str, Path]:
    """Returns the file of each recipe, by its name."""
    return {path.stem: path for path in sorted(FOLDER.glob(f"*{_SUFFIX}"))}


def find_recipe(given: Path) -> Path:
    """Returns the file that a user means: a path, or the name of a recipe that comes with the package.

    A file that is there is taken first.

    Raises:
        UsageError: There is no such file and no recipe of this name; the message lists the names.
    """
    if given.is_file():
        return given
    known, name = shipped(), given.name.removesuffix(_SUFFIX)
    if given.name == str(given) and name in known:
        return known[name]
    if name in known:
        raise UsageError(
            f"recipe {given} does not exist; one of this name comes along: `pipeline run {name}`"
        )
    if given.exists() or given.suffix == _SUFFIX or given.name != str(given):
        return given  # whoever reads it says what is wrong with it
    raise unknown("recipe", str(given), known, next_step="`pipeline recipes` says what they are")
