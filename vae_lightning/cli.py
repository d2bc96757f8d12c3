"""`vae-lightning COMMAND ...`: what is done with finished runs. Each command calls one function below."""

import argparse
from collections.abc import Sequence

from vae_lightning.errors import UserError, one_line
from vae_lightning.mistakes import TOLD, one_line_errors


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a mistake is told in one line, with exit code 1.

    Args:
        arguments: those of the command line; by default what was typed.
    """
    parser = argparse.ArgumentParser(prog="vae-lightning", description="What is done with finished runs.")
    parser.add_argument("--debug", action="store_true", help="show the stack trace of an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    figures = commands.add_parser("figures", help="draw all figures of a run again")
    figures.set_defaults(command=draw_figures)

    evaluate = commands.add_parser("evaluate", help="likelihood, information, disentanglement -> metrics.json")
    add_evaluate_options(evaluate)
    evaluate.set_defaults(command=evaluate_run)

    report = commands.add_parser("report", help="many runs -> tables, curves, figures, one page")
    report.add_argument("run", metavar="folder", help="a folder of runs, such as runs/sweeps/NAME")
    report.add_argument("--out", metavar="FOLDER", help="where it goes; by default report/ in that folder")
    report.set_defaults(command=write_report)

    export = commands.add_parser("export", help="a run's model -> safetensors, with its configuration in the file")
    export.add_argument("--checkpoint", default="best", help="which of a folder: best (the default) or last")
    export.add_argument("--out", metavar="FILE", help="where it goes; by default model.safetensors in the run's folder")
    export.set_defaults(command=export_model)

    for command in (figures, evaluate, export):
        command.add_argument("run", help="a run's folder, or a checkpoint in it")
    for command in (figures, evaluate, report, export):
        command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        command.add_argument(
            "--trust", nargs="+", default=(), metavar="PACKAGE", help="packages of your own whose classes it names"
        )
    args = parser.parse_args(arguments)
    with one_line_errors(args.debug):
        try:
            args.command(args)
        except TOLD:
            raise
        except Exception as error:  # of a file that is not what its name says: whatever it led to
            reason = f"{type(error).__name__}: {one_line(error)}"
            raise UserError(f"{args.run}: {reason}; type --debug to see where it comes from") from error


def add_evaluate_options(evaluate: argparse.ArgumentParser) -> None:
    """What `evaluate` can be told; the defaults are those of `evaluation.Settings`, or of its quick ones."""
    evaluate.add_argument("--quick", action="store_true", help="fewer samples: a minute on a laptop")
    evaluate.add_argument(
        "--only",
        type=lambda typed: typed.split(","),
        default=[],
        metavar="GROUPS",
        help="some of likelihood,information,disentanglement,samples,downstream; the numbers of others stay",
    )
    evaluate.add_argument("--split", help="whose images: train, val or test (the default)")
    evaluate.add_argument("--images", type=int, metavar="N", help="at most so many of them, drawn at random; 10,000")
    evaluate.add_argument("--samples", type=int, metavar="K", help="draws an image for log p(x); 5,000")
    evaluate.add_argument("--chunk", type=int, help="draws a pass, for less memory or a larger GPU; 500")
    evaluate.add_argument("--repeats", type=int, metavar="R", help="repeats of each disentanglement metric; 5")
    evaluate.add_argument("--features", help="for FID and KID: classifier (the default, trained here) or inception")
    evaluate.add_argument("--peers", nargs="+", default=[], metavar="RUN", help="runs of other seeds, for UDR")
    evaluate.add_argument("--device", help="cpu, cuda, cuda:1, ...; by default the GPU where there is one")
    evaluate.add_argument("--seed", type=int, help="of every draw; 0")


# Each imports what it needs when it is called: torch takes seconds, and --help none.


def draw_figures(args: argparse.Namespace) -> None:
    """`vae-lightning figures RUN`."""
    from vae_lightning.callbacks.redraw import redraw

    for file in redraw(args.run, trust=tuple(args.trust)):
        print(file)


def evaluate_run(args: argparse.Namespace) -> None:
    """`vae-lightning evaluate RUN`."""
    from vae_lightning.evaluate import evaluate

    options = {name: value for name, value in vars(args).items() if name not in ("command", "debug")}
    evaluate(**{**options, "trust": tuple(args.trust)})


def write_report(args: argparse.Namespace) -> None:
    """`vae-lightning report FOLDER`."""
    from vae_lightning.report import report

    print(report(args.run, args.out, trust=tuple(args.trust)))


def export_model(args: argparse.Namespace) -> None:
    """`vae-lightning export RUN`."""
    from vae_lightning.export import export

    print(export(args.run, args.out, checkpoint=args.checkpoint, trust=tuple(args.trust)))
