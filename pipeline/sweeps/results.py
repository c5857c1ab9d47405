"""Results of a sweep: one small file each, so that nothing that is finished can be lost."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UnreadableFileError, disk_errors, system_refusal
from pipeline.evaluation.metrics import wilson_interval
from pipeline.files import make_folder, remove, root_of, written
from pipeline.plain_json import json_text, plain, read_sealed, sealed
from pipeline.progress import say
from pipeline.run_files import is_result
from pipeline.sweeps.candidates import Candidate


@dataclass(frozen=True)
class Result:
    """How one candidate did.

    Attributes:
        key: Key of the candidate.
        head: Its head.
        options: Its options.
        score: Mean validation accuracy; None where it failed.
        scores: Validation accuracy of each fold; one without cross-validation.
        log_loss: Mean log-loss on the same rows; the tie-break.
        rows: Rows it was measured on.
        seconds: Wall time of the fits.
        bytes: Size of the saved model.
        problem: Why it failed; empty where it did not.
    """

    key: str
    head: str
    options: dict[str, str]
    score: float | None = None
    scores: tuple[float, ...] = ()
    log_loss: float | None = None
    rows: int = 0
    seconds: float = 0.0
    bytes: int = 0
    problem: str = ""

    @property
    def candidate(self) -> Candidate:
        """What was measured."""
        return Candidate(self.head, self.options)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy over all rows it was measured on."""
        return wilson_interval(round((self.score or 0.0) * self.rows), self.rows)

    def line(self, rank: int) -> dict[str, object]:
        """Returns the line of leaderboard.csv, by its columns."""
        low, high = self.interval if self.score is not None else (None, None)
        return {
            "rank": rank,
            "head": self.head,
            "options": " ".join(f"{name}={value}" for name, value in self.options.items()),
            "score": self.score,
            "low": low,
            "high": high,
            "scores": " ".join(map(str, self.scores)),
            "log_loss": self.log_loss,
            "rows": self.rows,
            "seconds": round(self.seconds, 3),
            "bytes": self.bytes,
            "problem": self.problem,
        }


def ranked(results: Sequence[Result]) -> list[Result]:
    """Sorts by score, then by log-loss, the best first and the failed last."""
    return sorted(
        results,
        key=lambda one: (one.score is None, -(one.score or 0.0), one.log_loss or 0.0, one.seconds),
    )


def joined(parts: Sequence[Result]) -> Result:
    """Makes one result of those of all folds."""
    first = parts[0]
    problem = next((part.problem for part in parts if part.problem), "")
    seconds = sum(part.seconds for part in parts)
    if problem:
        return Result(first.key, first.head, first.options, problem=problem, seconds=seconds)
    rows = np.array([part.rows for part in parts])
    scores = tuple(part.scores[0] for part in parts)
    return Result(
        first.key,
        first.head,
        first.options,
        score=float(np.average(scores, weights=rows)),
        scores=scores,
        log_loss=float(np.average([part.log_loss for part in parts], weights=rows)),
        rows=int(rows.sum()),
        seconds=seconds,
        bytes=max(part.bytes for part in parts),
    )


def not_written(folder: Path) -> AbstractContextManager[None]:
    """Turns what the disk refuses of a sweep into one line, see ``errors.disk_errors``."""
    advice = (
        "Finished results are kept; make room and run again with --resume, "
        "or choose another place with --runs"
    )
    return disk_errors(f"cannot write the sweep to {folder}", advice)


class ResultStore:
    """The folder of a sweep's results.

    Results belong to the rows they were measured on and to the way they were measured: ``identity`` names
    both, and results of another identity are not taken up again.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self.identity = identity
        self._root = root_of(folder, 3)  # <runs>/<dataset>/<entry>/sweep/results

    def start(self, *, resume: bool) -> dict[str, Result]:
        """Makes the folder ready and returns what can be taken up: all finished results, or none.

        A damaged result is told, and left out, so that it is made again.

        Raises:
            ForeignFileError: A link stands in the place of the folder.
            UnreadableFileError: A result cannot be read now.
            PipelineError: The folder cannot be written.
        """
        with not_written(self.folder):
            make_folder(self.folder, root=self._root)
            kept = {}
            for path in sorted(self.folder.iterdir()):
                result = None
                try:
                    result = self._read(path) if resume and path.suffix == ".json" else None
                except ValueError as error:
                    say(f"note: {path} is damaged ({error}): this candidate counts as not fitted")
                if result is not None:
                    kept[result.key] = result
                elif left := remove(path, root=self._root, known=is_result):
                    say(str(left))
        return kept

    def save(self, result: Result) -> None:
        """Writes a finished result, whole or not at all.

        Raises:
            PipelineError: The folder cannot be written.
        """
        path = self.folder / f"{result.key}.json"
        with not_written(self.folder), written(path, root=self._root, known=is_result) as file:
            file.write(json_text(sealed(plain({"identity": self.identity, **asdict(result)}))).encode())

    def _read(self, path: Path) -> Result | None:
        """Returns a result; None where it is one of other rows, or failed.

        Raises:
            ValueError: The file is damaged.
            UnreadableFileError: The system does not let it be read now.
        """
        try:
            data = read_sealed(path)
            if data.pop("identity") != self.identity or data["problem"]:
                return None
            return Result(**data | {"scores": tuple(data["scores"])})
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("it is no result of a sweep") from error
        except (OSError, MemoryError) as error:
            raise UnreadableFileError(path, system_refusal(error) or str(error)) from error
