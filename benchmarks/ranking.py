"""Compare UDR, which needs no factors, with the metric of a table, over all of its finished runs.

    python benchmarks/ranking.py 5-sprites    # after `make reproduce`, with the runs in runs/reproduce/

Prints UDR among the seeds of each row and Spearman's correlation with the metric, within rows and over all runs, and
draws docs/images/TABLE-udr.png. Rows with fewer than three runs are left out, as their runs have one similarity each.
"""

import argparse

from matplotlib.figure import Figure
from scipy.stats import spearmanr
from tables import IMAGES, RUNS, TABLES, Row, read_table, reduce_colors

from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.evaluation.context import BATCH_SIZE, draw_images
from vae_lightning.evaluation.disentanglement import udr_scores
from vae_lightning.models.encoding import encode
from vae_lightning.plotting.style import class_colors, new_figure, save, styled

MIN_RUNS = 3
NUM_IMAGES = 10_000  # at most, from the test split

Scores = dict[str, tuple[list[float], list[float]]]  # row -> UDR and the table's metric of each run


def main() -> None:
    """Rank the runs of a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", help="name of a file in benchmarks/tables/")
    table = parser.parse_args().table
    rows = [row for row in read_table(TABLES / f"{table}.yaml") if len(row.records) >= MIN_RUNS]
    scores: Scores = {row.name: score(row) for row in rows}
    for name, (udr, metric) in scores.items():
        print(f"{name}: UDR {' '.join(f'{u:.2f}' for u in udr)}; {describe_agreement(udr, metric)}")
    every_udr, every_metric = ([value for pair in scores.values() for value in pair[i]] for i in (0, 1))
    print(f"all {len(every_udr)} runs: {describe_agreement(every_udr, every_metric)}")
    target = IMAGES / f"{table}-udr.png"
    save(scatter(scores, rows[0].metric), target)
    reduce_colors(target, target)


def score(row: Row) -> tuple[list[float], list[float]]:
    """Return the UDR and the metric of each finished run of a row."""
    records = {name: record for seed, name in enumerate(row.run_names) if (record := row.record(seed))}
    runs = [load_run(RUNS / name) for name in records]
    images = draw_images(runs[0].data, "test", NUM_IMAGES, seed=0)
    encoded = [encode(run.model, images.split(BATCH_SIZE), seed=0) for run in runs]
    return udr_scores(encoded), [record["metrics"][row.metric] for record in records.values()]


def describe_agreement(udr: list[float], metric: list[float]) -> str:
    """Return Spearman's correlation, with the probability of one as large by chance."""
    result = spearmanr(udr, metric)
    return f"rank correlation {result.statistic:.2f} (p = {result.pvalue:.2g})"


@styled
def scatter(scores: Scores, metric: str) -> Figure:
    """Draw the metric of each run against its UDR, one color per row."""
    name = metric.rpartition("/")[2].upper()
    figure = new_figure(4.8, 4.8, f"UDR and {name} of the runs of each model")
    axes = figure.add_subplot()
    for (row, (udr, values)), color in zip(scores.items(), class_colors(len(scores)), strict=True):
        axes.plot(udr, values, "o", color=color, markersize=4, label=row)
    axes.set(xlabel="UDR", ylabel=name)
    figure.legend(loc="outside lower left", ncols=2)
    return figure


if __name__ == "__main__":
    main()
