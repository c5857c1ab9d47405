"""What people wait for: the first answer of ``predict`` and of ``serve``, and a second run with nothing new.

python benchmarks/waiting.py
python benchmarks/waiting.py --images photos/ --count 4000

The null base computes nothing: the images that reading, decoding and the cache sustain, against
``cores / decode``, with rows of its maps and with pooled ones.
"""

from __future__ import annotations

import argparse
import http.client
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inputs import add_image_option, place_images
from measuring import run_process, tell
from sitting import forget_features
from tables import RESULTS, markdown, number, read_table, write_table
from workers import extract_command, peer_command, pipeline_command

from pipeline.hardware import cores

BASE = ("--backbone", "mobilenet_v2", "--image-size", "224", "--pooling", "avg", "--weights", "random")
HEADS = ("logreg", "dense")
NULL_SHAPES = {"maps": (7, 7, 1280), "pooled": (1280,)}
PORT = 8123
MARK = "waiting"


def main() -> None:
    """Measures and writes ``waiting.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_option(parser)
    parser.add_argument("--count", type=int, default=4000, help="images of the second run")
    parser.add_argument("--rounds", type=int, default=5, help="of which the quickest counts")
    parser.add_argument("--out", type=Path, default=RESULTS / "waiting.csv")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        images = place_images(given.images, work / "photographs", given.count)
        rows = [*measure_answers(images, work, given.rounds), *measure_loops(images, work, given)]
    write_table(given.out, rows)


def measure_answers(images: Path, work: Path, rounds: int) -> Iterator[dict[str, str]]:
    """Times one photograph, with each head, by a new process and by a new server."""
    few, runs = place_images(images, work / "few", 200), work / "runs"
    photograph = next(few.rglob("*.jpg"))
    cache = work / "cache of answers"
    run_process(extract_command(few, cache, *BASE))
    where = ("--data", few, "--cache", cache, "--runs", runs)
    for head in HEADS:
        settings = ("--set", "epochs=2") if head == "dense" else ()
        run_process(pipeline_command("train-head", *where, "--head", head, *settings, "--json"))
        asked = pipeline_command("predict", photograph, *where, "--head", head, "--json")
        seconds = min(run_process(asked).seconds for _ in range(rounds))
        yield row(f"predict, {head}", 1, seconds=seconds)
        served = [first_answer(photograph, *where, "--head", head) for _ in range(rounds)]
        yield row(f"serve, {head}", 1, seconds=min(served))


def first_answer(photograph: Path, *options: object) -> float:
    """Returns the seconds from the start of a server to its first answer."""
    started = time.perf_counter()
    with server(pipeline_command("serve", *options, "--port", PORT)):
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
            try:
                headers = {"Content-Type": "application/octet-stream"}
                connection.request("POST", "/predict", photograph.read_bytes(), headers)
                answer = connection.getresponse()
                if answer.status != http.HTTPStatus.OK:
                    raise SystemExit(f"the server answered {answer.status}: {answer.read()[:200]!r}")
                return time.perf_counter() - started
            except ConnectionRefusedError:
                time.sleep(0.02)
            finally:
                connection.close()


@contextmanager
def server(command: list[str]) -> Iterator[None]:
    """Runs a server as long as the block lasts."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def measure_loops(images: Path, work: Path, given: argparse.Namespace) -> Iterator[dict[str, str]]:
    """Times a run that finds everything done, and one whose base computes nothing."""
    cache = work / "cache"
    for kind, shape in NULL_SHAPES.items():
        null = peer_command(
            "extract_without", "base", images, cache, "--backbone", "mobilenet_v2", "--weights", "random",
            "--size", 224, "--batch", 8, "--precision", "float32", "--shape", *shape,
        )  # fmt: skip
        shares = []
        for _ in range(given.rounds):
            forget_features(cache)
            timings = run_process(null).answer["timings"]
            reached, possible = given.count / timings["fill"], given.count * cores() / timings["image_cpu"]
            shares.append(reached / possible)
            tell(f"  null base, {kind}: {reached:.0f} of {possible:.0f} images/s")
        yield row(f"null base, {kind}", given.count, seconds=timings["fill"], share=max(shares))
    unchanged = extract_command(
        images, cache, "--backbone", "mobilenet_v2", "--image-size", 224, "--weights", "random",
        "--engine", "keras", "--precision", "float32",
    )  # fmt: skip
    whole, work_s = [], []
    for _ in range(given.rounds):
        ended = run_process(unchanged)
        answer: dict[str, Any] = ended.answer
        if any(split["computed"] for split in answer["splits"].values()):
            raise SystemExit("the second run computed rows")
        whole.append(ended.seconds)
        work_s.append(sum(answer["timings"].values()))
    yield row("second run, whole command", given.count, seconds=min(whole))
    yield row("second run, its work", given.count, seconds=min(work_s))


def summary(results: Path) -> str:
    """Returns the table of the page."""
    rows = read_table(results)
    cells = [(one["what"], one["images"], one["seconds"], one["share_of_possible"] or "-") for one in rows]
    table = markdown(["what", "images", "seconds", "/ what is possible"], cells)
    return f"{table}\n\n{rows[0]['machine']}; {rows[0]['date']}."


def row(what: str, images: int, *, seconds: float, share: float | None = None) -> dict[str, str]:
    """Returns a row of the table, and says it."""
    tell(f"  {what}: {seconds:.2f} s" + (f", {share:.2f} of what is possible" if share else ""))
    return {
        "what": what,
        "images": str(images),
        "seconds": number(seconds, 2),
        "share_of_possible": number(share, 3),
    }


if __name__ == "__main__":
    main()
