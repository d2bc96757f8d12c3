"""Train a variational autoencoder: `python train.py --help` lists the options. The same as `vae-lightning train`."""

from vae_lightning.cli.train import main

if __name__ == "__main__":
    main()
