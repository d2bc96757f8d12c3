"""Train a variational autoencoder: `python train.py --help` lists the options. The same as `vae-lightning train`."""

try:
    from vae_lightning.cli.train import main
except ModuleNotFoundError as error:
    raise SystemExit(
        f"error: {error}. Activate the environment (source .venv/bin/activate), or run make setup."
    ) from None

if __name__ == "__main__":
    main()
