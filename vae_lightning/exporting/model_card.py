"""The folder of a model in the layout of the Hugging Face hub: weights, metrics, figures and a model card."""

import inspect
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from vae_lightning.checkpointing.loading import read_checkpoint
from vae_lightning.checkpointing.trust import Trust
from vae_lightning.config.comparison import NOT_COMPARED
from vae_lightning.config.traversal import iter_leaves
from vae_lightning.errors import as_user_error
from vae_lightning.exporting.weights import export_weights, label_names
from vae_lightning.io.atomic import atomic_write
from vae_lightning.io.escaping import escape_markdown, markdown_code_block, visible
from vae_lightning.runs.artifacts import is_finite, read_config, read_metrics, read_overrides
from vae_lightning.runs.discovery import resolve_run
from vae_lightning.runs.format import override_key
from vae_lightning.runs.layout import EXPORTED, METRICS, find_checkpoint, run_dir_of
from vae_lightning.runs.untrusted import check_regular_file

CARD = "README.md"
FIGURES = ("samples", "reconstructions", "latent_space", "manifold", "traversals", "rate_per_latent", "training_curves")
# The groups whose options make a run; those of others name directories, servers and accounts.
PORTABLE_GROUPS = ("experiment", "model", "data", "trainer", "callbacks", "seed", "monitor")
OWNER_AND_NAME = "OWNER/NAME"  # stands for the repository until it is known
DATA_OPTIONS = (
    "image_shape",
    "crop",
    "dtype",
    "num_classes",
    "binarize",
    "flip",
    "labeled_per_class",
    "seed",
    "split_seed",
)
TRAINER_OPTIONS = ("max_epochs", "max_steps", "precision", "gradient_clip_val", "accumulate_grad_batches")
LICENSE = (
    "The weights have no license yet. Choose one, and replace `license: other` and `license_name` at the top of this"
    " file, for example by `license: mit`. The terms of the dataset may limit the choice."
)


def export_hub(
    run: str | Path,
    out: str | Path | None = None,
    *,
    checkpoint: str = "best",
    repository: str = OWNER_AND_NAME,
    trust: Trust = (),
) -> Path:
    """Write the model of a run as a folder that can be uploaded to the Hugging Face hub, and return the folder.

    A model card that is there already is kept, since its license and text may have been edited.

    >>> export_hub("runs/vae-digits/2026-01-31_12-00-00")  # doctest: +SKIP

    Args:
        run: a run directory, `latest`, or a checkpoint in a run directory.
        out: the folder to write; by default `hub/` in the run directory.
        checkpoint: which checkpoint of a run directory to export, `best` or `last`.
        repository: where it will be uploaded to, which the card names.
        trust: packages of your own whose classes the checkpoint may name; see `load_model`.

    Raises:
        UserError: if the run cannot be read or links to files outside of it, or the folder cannot be written.
    """
    source = find_checkpoint(resolve_run(run), preferred="best")
    run_dir = run_dir_of(source)
    config, metrics, overrides = read_config(run_dir), read_metrics(run_dir), read_overrides(run_dir)
    labels = label_names(read_checkpoint(source))
    folder = Path(out) if out else run_dir / "hub"
    with as_user_error(f"{folder}: cannot be written ({{error}}). Pass another folder with --out."):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        figures = [f"{name}.png" for name in FIGURES if (run_dir / "figures" / f"{name}.png").exists()]
        for path in [Path("figures") / name for name in figures] + [Path(METRICS)] * bool(metrics):
            check_regular_file(run_dir / path, run_dir)  # what is copied may be published
            shutil.copyfile(run_dir / path, folder / path)
        export_weights(run, folder / EXPORTED, checkpoint=checkpoint, trust=trust)
        if not (folder / CARD).exists():
            atomic_write(model_card(config, metrics, overrides, figures, repository, labels), folder / CARD)
    return folder


def model_card(
    config: dict[str, Any],
    metrics: dict[str, Any],
    overrides: list[str],
    figures: list[str],
    repository: str = OWNER_AND_NAME,
    labels: Sequence[str] = (),
) -> str:
    """Write a model card in Markdown, with the front matter that the hub reads.

    Args:
        config: the resolved configuration of the run.
        metrics: those of `metrics.json`.
        overrides: those that the run was started with.
        figures: names of the files in `figures/`.
        repository: where the model will be.
        labels: names of the classes or attributes.
    """
    name = str(config.get("name", "model"))
    model, data = class_name(config["model"]), class_name(config["data"]).removesuffix("DataModule")
    reported = {
        key: value for key, value in metrics.items() if is_finite(value) and not key.startswith(("train/", "val/"))
    }
    names = {"label names": ", ".join(labels)} if labels else {}
    sections = [
        f"# {escape(name)}",
        f"{summary(config['model'])} {escape(model)}, trained on {escape(data)} with"
        " [vae_lightning](https://pypi.org/project/vae-lightning/), in PyTorch.",
        *[f"![{figure.removesuffix('.png')}](figures/{figure})" for figure in figures[:1]],
        "## Use",
        markdown_code_block(
            "import torch\nimport vae_lightning  # pip install 'vae-lightning[hub]'\n\n"
            f'model = vae_lightning.load("hf://{repository}")  # reads plain data, runs no code from the file\n'
            f"images = {sample_call(config['model'])}  # (16, C, H, W) in [0, 1]",
        ).replace("```", "```python", 1),
        "`model.encode(x)` returns the posterior q(z|x), and `model.decode(z).mean` the images of latents. The weights"
        f" are in `{EXPORTED}`, a plain safetensors file whose metadata holds the configuration.",
        "## Data",
        table("option", {"dataset": data, **select(config["data"], DATA_OPTIONS), **names}),
        "## Settings",
        table("option", settings(config["model"])),
        "## Training",
        table(
            "option",
            {
                "seed": config.get("seed"),
                "batch size": config["data"].get("batch_size"),
                **select(config["trainer"], TRAINER_OPTIONS),
            },
        ),
        "To train it again:",
        markdown_code_block(shlex.join(["vae-lightning", "train", *filter(is_portable, overrides)])),
        "## Metrics",
        "In nats per image, unless the name says otherwise."
        if reported
        else "None yet: the run has not been tested. `vae-lightning evaluate` estimates more.",
        table("metric", {key: f"{value:.4g}" for key, value in sorted(reported.items())}),
        *(["## Figures"] if figures[1:] else []),
        *[f"![{figure.removesuffix('.png')}](figures/{figure})" for figure in figures[1:]],
        "## License",
        LICENSE,
    ]
    return f"---\n{front_matter(name, model, data, reported)}---\n\n" + "\n\n".join(filter(None, sections)) + "\n"


def front_matter(name: str, model: str, data: str, metrics: dict[str, float]) -> str:
    """Return the metadata that the hub reads, as YAML; the test metrics as a `model-index`."""
    task = {"type": "unconditional-image-generation", "name": "Unconditional image generation"}
    values = [
        {"type": key.removeprefix("test/"), "name": key, "value": value}
        for key, value in sorted(metrics.items())
        if key.startswith("test/")
    ]
    metadata: dict[str, Any] = {
        "library_name": "vae-lightning",
        "pipeline_tag": task["type"],
        "tags": ["variational-autoencoder", "pytorch-lightning", model, data],
        "license": "other",
        "license_name": "to-be-chosen",
    }
    if values:
        dataset = {"type": data, "name": data}
        metadata["model-index"] = [
            {"name": name, "results": [{"task": task, "dataset": dataset, "metrics": values}]},
        ]
    return yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)


def summary(config: dict[str, Any]) -> str:
    """Return the first sentence of the documentation of the model's class, or nothing for a class of the user's."""
    import vae_lightning.models

    known = getattr(vae_lightning.models, class_name(config), None)
    text = (inspect.getdoc(known) or "").splitlines()[0] if known else ""
    return f"{text}\n\nA" if text else "A"


def settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a model with short names of classes; shapes are those of the data."""
    leaves = sorted(iter_leaves(config), key=lambda leaf: leaf[0] != "_target_")
    return {
        key.removesuffix("._target_").replace("_target_", "model"): (
            value.rpartition(".")[2] if key.endswith("_target_") else value
        )
        for key, value in leaves
        if not key.startswith(("image_shape", "num_classes")) and not key.endswith("_partial_")
    }


def sample_call(config: dict[str, Any]) -> str:
    """Return an expression that samples from the model."""
    config = config.get("autoencoder", config)  # of a learned prior
    if config.get("conditional"):
        return f"model.sample(16, y=torch.arange(16) % {config.get('num_classes')})"
    return "model.sample(16, generator=torch.Generator().manual_seed(0))"


def class_name(config: dict[str, Any]) -> str:
    """Return the name of the class of a configuration."""
    return str(config.get("_target_", "")).rpartition(".")[2]


def select(config: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return those of some options that are set."""
    return {name: config[name] for name in names if config.get(name) is not None}


def is_portable(override: str) -> bool:
    """Return whether an override means the same on another machine, and names no directory, user or server."""
    key = override_key(override)
    is_shown_only = key.startswith(NOT_COMPARED) or key.endswith((".root", ".cache", "_dir"))
    return key.partition(".")[0].partition("/")[0] in PORTABLE_GROUPS and not is_shown_only


def table(header: str, rows: dict[str, Any]) -> str:
    """Return a table of two columns, or nothing without rows."""
    if not rows:
        return ""
    lines = [f"| {escape(key)} | {escape(value)} |" for key, value in rows.items()]
    return "\n".join([f"| {header} | value |", "| --- | --- |", *lines])


def escape(value: Any) -> str:
    """Escape a value for Markdown."""
    return escape_markdown(visible(str(value)))
