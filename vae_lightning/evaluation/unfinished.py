"""What an evaluation that was interrupted has computed."""

import hashlib
import json
import shutil
import time
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor

from vae_lightning.errors import as_user_error
from vae_lightning.evaluation.results import Result, Results
from vae_lightning.io.atomic import atomic_write
from vae_lightning.metrics.passes import Compute, Track

FOLDER = ".evaluation"  # in a run directory
SAVE_INTERVAL = 10.0  # seconds

DAMAGED = "{file}: damaged ({{error}}). Delete it, and what it holds is computed again."


class Unfinished:
    """Results kept in a run directory until the evaluation has finished. The same evaluation continues with them.

    Args:
        run_dir: the run directory.
        key: describes all that the results depend on.
    """

    def __init__(self, run_dir: Path, key: str) -> None:
        self.folder = run_dir / FOLDER / hashlib.sha256(key.encode()).hexdigest()[:16]

    def read_group(self, group: str) -> Results | None:
        """Return the results of a group of metrics, if it was finished.

        Raises:
            UserError: if the file is damaged.
        """
        file = self.folder / f"{group}.json"
        if not file.is_file():
            return None
        with as_user_error(DAMAGED.format(file=file)):
            return {name: Result(**fields) for name, fields in json.loads(file.read_text()).items()}

    def write_group(self, group: str, results: Results) -> None:
        """Keep the results of a group of metrics."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fields = {name: result._asdict() for name, result in results.items()}
        atomic_write(json.dumps(fields), self.folder / f"{group}.json")

    def collect(self, name: str, passes: range, compute: Compute, track: Track) -> Tensor:
        """Concatenate the rows of all passes, of which those before an interruption are not computed again.

        They are written every few seconds and when an exception such as Ctrl-C ends the loop, so a killed process
        loses the last seconds.

        Args:
            name: of the file, without the suffix.
            passes: numbers of the passes.
            compute: computes the rows of one.
            track: wraps the rest of the passes in a progress bar.

        Raises:
            UserError: if the file is damaged.
        """
        file = self.folder / f"{name}.pt"
        parts: list[Tensor] = []
        if file.is_file():
            with as_user_error(DAMAGED.format(file=file)):
                kept = torch.load(file, weights_only=True)
                parts = list(kept["rows"].split(kept["lengths"]))
        written = time.monotonic()
        try:
            for i in track(passes[len(parts) :]):
                parts.append(compute(i).cpu())
                if time.monotonic() - written > SAVE_INTERVAL:
                    self.write_parts(parts, file)
                    written = time.monotonic()
        except BaseException:
            if parts:
                self.write_parts(parts, file)
            raise
        return torch.cat(parts)

    def write_parts(self, parts: list[Tensor], file: Path) -> None:
        """Write the rows of the passes so far, as one tensor, since a file of many tensors is slow to write."""
        self.folder.mkdir(parents=True, exist_ok=True)
        buffer = BytesIO()
        torch.save({"rows": torch.cat(parts), "lengths": [len(rows) for rows in parts]}, buffer)
        atomic_write(buffer.getvalue(), file)

    def remove(self) -> None:
        """Delete the results, once they are in `metrics.json`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # another evaluation of this run is unfinished
            self.folder.parent.rmdir()
