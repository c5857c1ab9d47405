"""All benchmarks in one sitting: what ``make bench`` runs.

python benchmarks/everything.py
python benchmarks/everything.py --images photos/
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from inputs import add_image_option
from measuring import tell
from quiet import add_patience_option

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
PATIENT = ("bases.py", "stage_one.py", "precision_choice.py")
WITH_README = ("bases.py", "stage_one.py")
SCRIPTS = (*PATIENT, "constant_filters.py", "cache_format.py", "memory.py")
WITHOUT_IMAGES = ("constant_filters.py",)


def main() -> None:
    """Runs one script after the other, each in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_option(parser)
    add_patience_option(parser)
    given = parser.parse_args()
    for script in SCRIPTS:
        options = ["--images", str(given.images)] if given.images and script not in WITHOUT_IMAGES else []
        options += ["--patience", str(given.patience)] if script in PATIENT else []
        options += ["--readme", str(README)] if script in WITH_README else []
        tell(f"== {script}")
        subprocess.run([sys.executable, str(HERE / script), *options], check=True)  # noqa: S603


if __name__ == "__main__":
    main()
