"""Writing the page as a folder for any web server, with the models as ONNX."""

from pathlib import Path

from vae_lightning.errors import UserError, one_line
from vae_lightning.explorer.contents import ExploredRun, site_files
from vae_lightning.explorer.onnxruntime_web import copy_runtime
from vae_lightning.exporting.formats import check_installed
from vae_lightning.exporting.graph_files import write_graphs


def write_static(runs: list[ExploredRun], folder: Path, onnxruntime: Path | None) -> Path:
    """Write the page, the encoders and decoders, and onnxruntime-web, and return the folder.

    Args:
        runs: those to show.
        folder: where to; files of an earlier page are overwritten.
        onnxruntime: see `copy_runtime`.

    Raises:
        UserError: if a model cannot be exported, onnxruntime-web is missing, or the folder cannot be written.
    """
    check_installed("onnx")
    copy_runtime(folder / "ort", onnxruntime)
    try:
        for name, content in site_files(runs, "onnx").items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise UserError(f"--static={folder}: cannot be written ({one_line(error)}). Choose another folder.") from error
    for index, run in enumerate(runs):
        write_graphs(run.run.model, folder / "runs" / str(index), "onnx", ["encoder", "decoder"])
    return folder
