"""Write the models that come with the package from the runs of `make reproduce` on this machine.

    python benchmarks/pretrained.py

Each file contains the weights of the best checkpoint, and of the configuration the model, the data and the command. The
README beside them, written as well, also lists the models from other machines.
"""

from pathlib import Path

from tables import ROOT, RUNS, TABLES, Row, read_table

from vae_lightning.checkpointing.loading import build_model, read_checkpoint
from vae_lightning.checkpointing.safetensors_io import deserialize, serialize
from vae_lightning.io.atomic import atomic_write
from vae_lightning.runs.artifacts import is_finished
from vae_lightning.runs.layout import EXPORT_SUFFIX, find_checkpoint
from vae_lightning.runs.pretrained import FOLDER

ROWS = {
    "mnist_vae_2d": ("0-mnist", "VAE"),
    "mnist_cvae_2d": ("0-mnist", "conditional VAE"),
    "mnist_vae_10d": ("0-mnist", "VAE, 10 latents"),
    "sprites_beta_tcvae": ("5-sprites", "β-TCVAE, β = 6"),
    "frey_faces_vae_2d": ("3-frey_faces", "2 latents"),
}
HEADER = """# Trained models

`vae_lightning.load("NAME")` loads one of these without a network. They were trained by the commands in the table, whose
results are the test nelbo in nats per image, and converted by `benchmarks/pretrained.py`.

| name | test nelbo | commit | command |
|---|---|---|---|
"""


def write(row: Row, path: Path) -> None:
    """Write the best model of a row's first run to a file."""
    source = find_checkpoint(RUNS / row.run_names[0], preferred="best")
    trained = read_checkpoint(source)
    config = trained["config"]
    command = "python train.py " + " ".join(word for word in row.overrides if not word.startswith("data.root="))
    data = {**config["data"], "root": "data"} if "root" in config["data"] else config["data"]
    kept = {"name": config["name"], "seed": config["seed"], "model": config["model"], "data": data}
    weights = build_model(trained, source).state_dict()
    atomic_write(serialize(weights, {**kept, "command": command}), path)


def main() -> None:
    """Write all models whose runs have finished."""
    lines = []
    for name, (table, row_name) in ROWS.items():
        (row,) = [row for row in read_table(TABLES / f"{table}.yaml") if row.name == row_name]
        path = FOLDER / f"{name}{EXPORT_SUFFIX}"
        if is_finished(RUNS / row.run_names[0]):
            write(row, path)
        record = row.record(0)
        if record is None or not path.is_file():
            print(f"{name}: {RUNS / row.run_names[0]} has not finished")
            continue
        nelbo, command = record["metrics"]["test/nelbo"], deserialize(path)["config"]["command"]
        lines.append(f"| `{name}` | {nelbo:.2f} | {record['commit']} | `{command}` |\n")
    atomic_write(HEADER + "".join(lines), FOLDER / "README.md")
    print(f"{len(lines)} models in {FOLDER.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
