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

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
SCRIPTS = {
    "stage_one.py": ["--readme", str(README)],
    "precision_choice.py": [],
    "cache_format.py": [],
    "memory.py": [],
}


def main() -> None:
    """Runs one script after the other, each in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_option(parser)
    given = parser.parse_args()
    images = ["--images", str(given.images)] if given.images else []
    for script, options in SCRIPTS.items():
        tell(f"== {script}")
        subprocess.run([sys.executable, str(HERE / script), *images, *options], check=True)  # noqa: S603


if __name__ == "__main__":
    main()
