"""Explore the latents of runs in the browser: sliders, a map, your own images."""

import argparse

from vae_lightning.cli.arguments import add_data_root_option, add_trust_option, check_runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "path",
        metavar="run",
        nargs="+",
        help="a run directory, or latest: the run started last; several are shown together",
    )
    add_trust_option(parser)
    add_data_root_option(parser)
    parser.add_argument("--port", type=int, help="the port on this machine (default: the first free one from 8765)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address of the page")
    parser.add_argument(
        "--static", metavar="FOLDER", help="write the page to a folder instead, for any web server, without Python"
    )
    parser.add_argument(
        "--onnxruntime",
        metavar="DIR",
        help="the npm package onnxruntime-web, unpacked, for --static (default: downloaded with npm)",
    )


def run(args: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C, or write it."""
    check_runs(args.path)
    from vae_lightning.explorer.explore import explore  # imports torch, which --help does not need

    explore(
        args.path,
        static=args.static,
        onnxruntime=args.onnxruntime,
        port=args.port,
        open_browser=not args.no_browser,
        trust=args.trust,
        data_root=args.data_root,
    )
