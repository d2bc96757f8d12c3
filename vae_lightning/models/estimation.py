"""What estimates with a trained model have in common: log p(x) and imputation."""

from vae_lightning.errors import UserError
from vae_lightning.models.latent_variable_model import LatentVariableModel


def check_estimate(model: LatentVariableModel, method: str, **counts: int) -> None:
    """Check the arguments of a method that estimates something by sampling.

    Args:
        model: must be in eval mode.
        method: its name, for messages.
        **counts: arguments that must be positive.

    Raises:
        UserError: if a count is not, or the model is in training mode.
    """
    for name, value in counts.items():
        if value < 1:
            raise UserError(f"{method}: {name}={value}: must be an integer >= 1.")
    if model.training:
        raise UserError(
            f"{method}: the model is in training mode, in which it would go on learning. Call model.eval()."
        )
