"""What `vae-lightning evaluate` asks of a finished run: a file a group of questions."""

from vae_lightning.evaluation.disentanglement import disentanglement
from vae_lightning.evaluation.downstream import downstream
from vae_lightning.evaluation.findings import Finding, Findings
from vae_lightning.evaluation.information import information
from vae_lightning.evaluation.likelihood import likelihood
from vae_lightning.evaluation.samples import samples
from vae_lightning.evaluation.settings import Settings, settings
from vae_lightning.evaluation.subject import Subject

__all__ = [
    "Finding",
    "Findings",
    "Settings",
    "Subject",
    "disentanglement",
    "downstream",
    "information",
    "likelihood",
    "samples",
    "settings",
]
