"""Estimate likelihood, information, disentanglement and sample quality of runs -> metrics.json."""

import argparse
import signal

from vae_lightning.cli.arguments import add_data_root_option, add_trust_option, check_runs
from vae_lightning.evaluation.settings import FEATURES, GROUPS, PROTOCOLS, Settings, check_groups
from vae_lightning.runs.discovery import find_evaluable_runs
from vae_lightning.types import SPLITS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments; the defaults in the help are those of `Settings`."""
    parser.add_argument(
        "path",
        metavar="run",
        nargs="+",
        help="a run directory, a checkpoint in one, latest, or a directory such as runs/sweeps/NAME for all finished"
        " runs in it; several are compared",
    )
    add_trust_option(parser)
    add_data_root_option(parser)
    parser.add_argument("--quick", action="store_true", help="use fewer samples, for an estimate in about a minute")
    parser.add_argument(
        "--protocol",
        metavar="NAME",
        help=f"the settings of a paper: {', '.join(PROTOCOLS)} (disentanglement only; see docs/evaluation.md)",
    )
    parser.add_argument(
        "--only",
        type=lambda names: names.split(","),
        default=[],
        metavar="GROUPS",
        help=f"some of {','.join(GROUPS)}, or functions of your own, MODULE.FUNCTION; the numbers of other groups are"
        " kept (default: all, anomaly with --against)",
    )
    parser.add_argument("--split", help=f"the images to evaluate: {', '.join(SPLITS)} (default: {Settings.split})")
    for name, metavar, text in (
        ("images", "N", "evaluate at most N images, chosen at random"),
        ("samples", "K", "samples per image for log p(x)"),
        ("chunk", "K", "samples per pass: less for less memory, more for a larger GPU"),
        (
            "ais",
            "T",
            "also bound log p(x) by annealed importance sampling with T steps, such as 1000; 0 to leave it out",
        ),
        ("repeats", "R", "repeats of each disentanglement metric"),
        ("seed", "S", "seed of all random choices"),
    ):
        default = f"{getattr(Settings, name):,}"
        parser.add_argument(f"--{name}", type=int, metavar=metavar, help=f"{text} (default: {default})")
    parser.add_argument(
        "--boosting",
        action="store_const",
        const=True,
        help="also the metrics with gradient boosting, as in locatello2019, which take minutes per factor",
    )
    parser.add_argument(
        "--features", help=f"network for FID and others: {' or '.join(FEATURES)} (default: {Settings.features})"
    )
    parser.add_argument("--peers", nargs="+", default=[], metavar="RUN", help="runs with other seeds, for UDR")
    parser.add_argument(
        "--against",
        nargs="+",
        default=[],
        metavar="DATA",
        help="another dataset, for out-of-distribution detection: a choice of data=, and options such as"
        " data.root=FOLDER",
    )
    parser.add_argument("--background", metavar="RUN", help="run of the background model for likelihood ratios")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: the GPU if there is one)")


def run(args: argparse.Namespace) -> None:
    """Evaluate the runs.

    Raises:
        UserError: if the options are invalid, or a run cannot be evaluated.
    """
    check_groups(args.only)
    runs = [run for path in args.path for run in find_evaluable_runs(path)]
    if len(runs) == 1:  # the error of one of several does not stop the others
        check_runs(map(str, runs))
    from vae_lightning.evaluation.evaluate_runs import evaluate_runs  # takes seconds to import

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C, so that what was computed is kept
    options = {name: value for name, value in vars(args).items() if name not in ("path", "run", "debug")}
    evaluate_runs(runs, **options)
