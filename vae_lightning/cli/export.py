"""Write the model of a run as safetensors, or its encoder, decoder and sampler as ONNX, TorchScript or PT2."""

import argparse

from vae_lightning.cli.arguments import add_run_argument, check_runs
from vae_lightning.errors import check_choice
from vae_lightning.io.shell import display_path

GRAPHS = ("onnx", "torchscript", "pt2")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_run_argument(parser)
    parser.add_argument(
        "--format",
        default="safetensors",
        help="safetensors (default): the weights and the configuration, for vae_lightning.load; onnx, torchscript or"
        " pt2: encoder, decoder and sampler in a file each, compared with PyTorch; hub: a folder with a model card",
    )
    parser.add_argument(
        "--only",
        type=lambda names: names.split(","),
        default=["encoder", "decoder", "sampler"],
        metavar="FILES",
        help="which files of onnx, torchscript or pt2 to write (default: encoder,decoder,sampler)",
    )
    parser.add_argument("--checkpoint", default="best", help="which checkpoint of the run: best (default) or last")
    parser.add_argument(
        "--out",
        metavar="PATH",
        help="the file, or for other formats than safetensors the folder, to write (default: model.safetensors, or a"
        " folder named after the format, in the run)",
    )


def run(args: argparse.Namespace) -> None:
    """Write the files and print their paths."""
    check_runs([args.path])
    check_choice("--format", args.format, ("safetensors", *GRAPHS, "hub"))
    options = {"checkpoint": args.checkpoint, "trust": args.trust}
    # These import torch, which --help does not need.
    if args.format == "safetensors":
        from vae_lightning.exporting.weights import export_weights

        print(display_path(export_weights(args.path, args.out, **options)))
    elif args.format == "hub":
        from vae_lightning.exporting.model_card import export_hub

        print(display_path(export_hub(args.path, args.out, **options)))
    else:
        from vae_lightning.exporting.graph_files import export_graphs

        for path, deviation in export_graphs(
            args.path, args.out, format=args.format, only=args.only, **options
        ).items():
            print(f"{display_path(path)}  largest deviation from PyTorch: {deviation:.0e}")
