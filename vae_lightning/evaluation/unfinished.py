"""Partial results of an interrupted evaluation."""

import hashlib
import json
import logging
import shutil
import time
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_lightning.errors import as_user_error, one_line
from vae_lightning.evaluation.results import Result, Results
from vae_lightning.io.atomic import atomic_write
from vae_lightning.metrics.passes import Compute, Track

log = logging.getLogger(__name__)

FOLDER = ".evaluation"  # in a run directory
RESULTS, SECONDS = "results.json", "seconds.json"
SAVE_INTERVAL = 10.0  # seconds

DAMAGED = "{file}: damaged ({{error}}). Delete it to compute its results again."


class Unfinished:
    """The results of a group of metrics, kept in a run directory until the evaluation has finished.

    An evaluation with the same key continues with them. If they cannot be written, it continues without saving them.

    Args:
        run_dir: the run directory.
        group: the name of the group.
        key: describes all that the results depend on.

    Raises:
        UserError: if the files are damaged.
    """

    def __init__(self, run_dir: Path, group: str, key: str) -> None:
        self.folder = run_dir / FOLDER / f"{group}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        self.seconds_before: float = self.read_json(SECONDS) or 0.0
        self.begin()

    def begin(self) -> None:
        """Start the clock."""
        self.start = time.monotonic()

    @property
    def seconds(self) -> float:
        """The time that the group has taken so far, also before interruptions."""
        return self.seconds_before + time.monotonic() - self.start

    def read_results(self) -> Results | None:
        """Return the results, if the group was finished.

        Raises:
            UserError: if the file is damaged.
        """
        results = self.read_json(RESULTS)
        return None if results is None else {name: Result(**fields) for name, fields in results.items()}

    def write_results(self, results: Results) -> None:
        """Keep the results of the finished group."""
        fields = {name: result._asdict() for name, result in results.items()}
        self.write(json.dumps(fields), self.folder / RESULTS)

    def collect(self, name: str, passes: range, compute: Compute, track: Track) -> Tensor:
        """Concatenate the rows of all passes, of which those before an interruption are not computed again.

        They are written every few seconds, at the end, and when an exception such as Ctrl-C ends the loop. So a killed
        process loses the last seconds.

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
        finished, written = len(parts), time.monotonic()
        try:
            for i in track(passes[finished:]):
                parts.append(compute(i).cpu())
                if time.monotonic() - written > SAVE_INTERVAL:
                    self.write_parts(parts, file)
                    finished, written = len(parts), time.monotonic()
        finally:
            if len(parts) > finished:
                self.write_parts(parts, file)
        return torch.cat(parts)

    def write_parts(self, parts: list[Tensor], file: Path) -> None:
        """Write the rows of the passes so far, as one tensor, since a file of many tensors is slow to write."""
        buffer = BytesIO()
        torch.save({"rows": torch.cat(parts), "lengths": [len(rows) for rows in parts]}, buffer)
        self.write(buffer.getvalue(), file)

    def write(self, content: str | bytes, file: Path) -> None:
        """Write a file, and the time so far."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            atomic_write(content, file)
            atomic_write(json.dumps(self.seconds), self.folder / SECONDS)
        except OSError as error:
            log.warning("%s: cannot be written (%s), so an interruption would lose it", file, one_line(error))

    def read_json(self, name: str) -> Any:
        """Return the content of a file, or None if there is none.

        Raises:
            UserError: if it is damaged.
        """
        file = self.folder / name
        if not file.is_file():
            return None
        with as_user_error(DAMAGED.format(file=file)):
            return json.loads(file.read_text())

    def remove(self) -> None:
        """Delete the files, once the results are in `metrics.json`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # other groups are unfinished
            self.folder.parent.rmdir()
