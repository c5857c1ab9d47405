"""Many heads at once."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli import completion
from pipeline.cli.options import (
    StoredFeatures,
    address_option,
    executor_option,
    executor_settings,
    json_option,
    print_json,
    runs_option,
    seed_option,
    stored_features,
    told_changes,
)
from pipeline.sweeps import executors


class HeadsWithGrids(click.Command):
    """Keeps the order of ``--head`` and ``--grid``: a grid belongs to the head before it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Collects (head, grids) pairs before click sorts the options by name."""
        pairs: list[tuple[str, list[str]]] = []
        joined = ("--head=", "--grid=")
        words = [
            part for word in args for part in (word.split("=", 1) if word.startswith(joined) else [word])
        ]
        for option, value in itertools.pairwise(words):
            if option == "--head":
                pairs.append((value, []))
            elif option == "--grid" and not pairs:
                raise click.UsageError(f"--grid {value} must follow the --head it belongs to")
            elif option == "--grid":
                pairs[-1][1].append(value)
        ctx.meta["pairs"] = pairs
        return super().parse_args(ctx, args)


@click.command(cls=HeadsWithGrids)
@stored_features
@click.option(
    "--head",
    "heads",
    multiple=True,
    shell_complete=completion.head,
    help="A head to compare; repeatable. See `pipeline heads`.",
)
@click.option("--grid", "grids", multiple=True, metavar="OPTION=V1,V2", help="Values for the head before it.")
@click.option(
    "--preset",
    shell_complete=completion.preset,
    help="quick or full: a ready list of heads with their options.",
)
@click.option("--cv", "folds", type=int, help="Choose by cross-validation on train instead of on val.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Fits at the same time.",
    show_default="one per core, with Ray of all machines",
)
@executor_option(executors)
@address_option
@click.option("--resume", is_flag=True, help="Keep what an earlier sweep over the same rows has finished.")
@seed_option
@runs_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    features: StoredFeatures,
    preset: str | None,
    folds: int | None,
    jobs: int | None,
    executor: str,
    resume: bool,
    seed: int,
    runs: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Compare many heads on cached features, chosen on val, never on test; save the best.

    They are ranked by accuracy; of several labels by mean average precision, of numbers by R2.

    With Ray, features travel to each machine once and scikit-learn heads are fitted all over the cluster;
    Keras heads are fitted here, one after the other.

    \b
    pipeline sweep --preset quick
    pipeline sweep --head logreg --grid C=1e-4,1e-3,1e-2 --head knn --grid k=1,5,20
    pipeline sweep --data photos/ --preset full --cv 5 --resume
    pipeline sweep --data photos/ --preset quick --executor ray --address auto
    """
    from rich.console import Console

    from pipeline.heads._core.target_figures import ACCURACY
    from pipeline.sweeps import candidates, learning, make_executor, parse_grid, sweep
    from pipeline.sweeps import preset as preset_candidates
    from pipeline.sweeps.leaderboard import leaderboard_table, write_leaderboard

    chosen_executor = make_executor(executor, executor_settings(options))
    pairs = [(head, dict(map(parse_grid, grids))) for head, grids in ctx.meta["pairs"]]
    of_preset = preset_candidates(preset) if preset else []
    named = candidates(pairs) if pairs or not of_preset else []
    chosen = features.selection()
    changed = told_changes(chosen)
    train = chosen.open("train")
    valid = chosen.open("val") if "val" in chosen.splits else None
    wanted = learning(of_preset, train.target)
    known = {one.key for one in wanted}
    wanted += [one for one in named if one.key not in known]
    board = sweep(
        wanted,
        train,
        valid,
        runs=runs,
        folds=folds,
        seed=seed,
        jobs=jobs,
        resume=resume,
        executor=chosen_executor,
    )
    paths = write_leaderboard(board)
    if as_json:
        best = board.results[0]
        of_targets = {} if board.figure == ACCURACY else {"figure": board.figure}
        print_json(
            {
                "winner": board.winner.to_json() | {"options": best.options, "score": best.score},
                "chosen_on": board.chosen_on,
                **of_targets,
                "compared": len(board.results),
                "leaderboard": str(paths[1]),
                **board.winner.balance_to_json(),
                **changed,
            }
        )
        return
    Console(file=sys.stdout).print(leaderboard_table(board))
    click.echo(f"best: {board.results[0].candidate.label}, saved in {board.winner.folder}")
    for path in paths:
        click.echo(f"  {path}")
