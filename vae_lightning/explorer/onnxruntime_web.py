"""The files of onnxruntime-web, which runs ONNX files in a browser."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from vae_lightning.errors import UserError, one_line

PACKAGE = "onnxruntime-web@1.30.0"
# Names in the package's dist/ -> names in the page's ort/: .js, since not every server knows the type of .mjs.
FILES = {"ort.wasm.bundle.min.mjs": "ort.js", "ort-wasm-simd-threaded.wasm": "ort-wasm-simd-threaded.wasm"}
FIX = "Install npm, or pass the folder of an unpacked onnxruntime-web with --onnxruntime DIR"
TIMEOUT = 600  # seconds to download 33 MB


def copy_runtime(folder: Path, source: Path | None) -> None:
    """Copy the files to a folder, unless they are there.

    Args:
        folder: where to.
        source: a folder with the npm package, or its `dist/`; None to download the package with `npm pack`.

    Raises:
        UserError: if the package has no such files, or cannot be downloaded.
    """
    if source is None and all((folder / name).is_file() for name in FILES.values()):
        return
    if source is None:
        with tempfile.TemporaryDirectory() as temporary:
            copy_runtime(folder, download(Path(temporary)))
        return
    dist = next((path for path in (source, source / "dist", source / "package" / "dist") if has_files(path)), None)
    if dist is None:
        raise UserError(f"--onnxruntime={source}: has no {' and '.join(FILES)}. Pass the dist/ of onnxruntime-web.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in FILES.items():
        shutil.copyfile(dist / name, folder / target)


def has_files(folder: Path) -> bool:
    """Return whether a folder has all files."""
    return all((folder / name).is_file() for name in FILES)


def download(folder: Path) -> Path:
    """Download the package with npm to a folder, and return where it was unpacked.

    Raises:
        UserError: if npm is missing or fails.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(f"--static: npm is required to download onnxruntime-web, but is not installed. {FIX}.")
    try:
        command = [npm, "pack", "--silent", "--pack-destination", str(folder), PACKAGE]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT)
        (archive,) = folder.glob("*.tgz")
        with tarfile.open(archive) as package:
            wanted = [package.getmember(f"package/dist/{name}") for name in FILES]
            package.extractall(folder, wanted, filter="data")
    except (OSError, subprocess.SubprocessError, tarfile.TarError, KeyError, ValueError) as error:
        reason = (getattr(error, "stderr", None) or one_line(error)).strip().splitlines()[-1]
        raise UserError(f"--static: npm cannot download {PACKAGE} ({reason}). {FIX}.") from error
    return folder
