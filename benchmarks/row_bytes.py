"""What the features of one image take on disk, for every base of the table, unpooled and pooled.

python benchmarks/row_bytes.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

from measuring import tell
from tables import RESULTS, write_table

from pipeline.backbones.loading import describe_cuts
from pipeline.backbones.table import BACKBONES
from pipeline.cache.format import row_bytes


def main() -> None:
    """Builds every base without filters and writes ``row_bytes.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, nargs="+", default=[150, 224], help="image sizes in pixels")
    parser.add_argument("--out", type=Path, default=RESULTS / "row_bytes.csv")
    given = parser.parse_args()
    table = []
    for name in (name for name, row in BACKBONES.items() if row.factory):
        for size in given.size:
            layer, shape = describe_cuts(name, size)[-1]
            tell(f"  {name} {size}: {shape}")
            table += [
                {
                    "backbone": name,
                    "image_size": size,
                    "layer": layer,
                    "pooling": pooling,
                    "store": "float16",
                    "bytes_a_row": row_bytes(kept, "float16"),
                }
                for pooling, kept in (("none", shape), ("avg", shape[-1:]))
            ]
    write_table(given.out, table)


if __name__ == "__main__":
    main()
