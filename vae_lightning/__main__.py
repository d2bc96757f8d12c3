"""`python -m vae_lightning COMMAND`: the same as `vae-lightning COMMAND`."""

from vae_lightning.cli.main import main

if __name__ == "__main__":
    main()
