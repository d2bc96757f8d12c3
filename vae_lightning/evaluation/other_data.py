"""Loading another data set for a run, by its name in `conf/data/`."""

from collections.abc import Sequence

from vae_lightning.config.composition import composed_alone
from vae_lightning.config.error_reporting import USER_FACING_ERRORS, format_error
from vae_lightning.config.inheritance import inherit_run
from vae_lightning.config.instantiation import build_component
from vae_lightning.config.overrides import normalize
from vae_lightning.config.validation import validate_config
from vae_lightning.data import ImageDataModule
from vae_lightning.errors import UserError
from vae_lightning.runs.format import override_key


def load_other_data(against: Sequence[str], like: ImageDataModule) -> ImageDataModule:
    """Load a data set whose images have the shape of those of a run, and are binarized in the same way.

    Args:
        against: a choice of `data`, and overrides such as `data.root=FOLDER`.
        like: the data of the run.

    Raises:
        UserError: if there is no such data set, an override is invalid, the files are not available, or the images have
            another shape.
    """
    choice, *options = against
    for option in options:
        if not override_key(option).startswith("data."):
            raise UserError(f"--against {choice} {option}: not an option of the data. Use data.NAME=VALUE.")
    overrides = normalize([f"data={choice}", *options])
    try:
        with composed_alone([*overrides, "run_dir=unknown"]) as cfg:
            inherit_run(cfg)
            validate_config(cfg)
            data: ImageDataModule = build_component(cfg, "data", ImageDataModule)
            data.binarize = like.binarize
            if data.image_shape == like.image_shape:
                data.prepare_data()
                data.setup()
    except USER_FACING_ERRORS as error:
        raise UserError(f"--against {choice}: {format_error(error, overrides)}") from error
    if data.image_shape != like.image_shape:
        shapes = f"{list(data.image_shape)}, those of the run {list(like.image_shape)}"
        fix = f"data.image_shape=[{','.join(map(str, like.image_shape))}]"
        raise UserError(
            f"--against {choice}: the images have shape {shapes}. If they can be resized, add {fix} after {choice}."
        )
    return data
