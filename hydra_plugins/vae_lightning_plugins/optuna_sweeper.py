"""`hydra/sweeper=optuna`: jobs that are chosen one after another, based on the results of earlier ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from vae_lightning.config.comparison import NOT_COMPARED
from vae_lightning.runs.layout import PRUNED

if TYPE_CHECKING:
    from optuna.trial import Trial


class OptunaSweeper(Sweeper):
    """Asks Optuna for jobs, runs them with the launcher, and reports their results to Optuna.

    The study is stored in the directory of the sweep, and each sampler is seeded with the number of the trial. So a
    search that was interrupted continues as if it had not been, once its command is rerun; unfinished trials are run
    again first.

    Hydra imports this file at each start, but only a search imports Optuna, which takes a second.

    Args:
        objective: the logged metric to optimize, at the last epoch.
        direction: `minimize` or `maximize`.
        n_trials: the number of trials, including those of earlier commands.
        n_jobs: the number of trials at a time, if the launcher supports it; all of them end before the next are chosen.
        seed: of the choices.
        sampler: seed -> sampler.
        pruner: for the jobs; see `vae_lightning.callbacks.Pruning`.
        params: options and their search spaces, in addition to those on the command line.
    """

    hydra_context: HydraContext
    config: DictConfig
    launcher: Launcher

    def __init__(
        self,
        objective: str,
        direction: str,
        n_trials: int,
        n_jobs: int,
        seed: int,
        sampler: Any,
        pruner: Any,
        params: dict[str, str] | None,
    ) -> None:
        self.objective, self.direction = objective, direction
        self.n_trials, self.n_jobs = n_trials, n_jobs
        self.seed, self.sampler = seed, sampler
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra passes before `sweep`, and build the launcher."""
        self.config = config
        self.hydra_context = hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run all missing trials, and print the best one.

        Raises:
            UserError: if the directory holds a different search, whose trials would be taken for those of this one.
        """
        from vae_lightning.sweeps.optuna_study import (
            OVERRIDES,
            ask_trial,
            check_same_search,
            open_study,
            unfinished_trials,
        )

        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        typed = parser.parse_overrides([*(f"{name}={values}" for name, values in self.params.items()), *arguments])
        overrides = list({override.get_key_element(): override for override in typed}.values())  # the last one wins
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        study = open_study(folder, direction=self.direction)
        typed_now = [str(override.input_line) for override in overrides if override.key_or_group not in NOT_COMPARED]
        check_same_search(study, [self.direction, self.objective, *typed_now])
        OmegaConf.save(self.config, folder / "multirun.yaml")
        waiting = unfinished_trials(study)
        while True:
            batch, waiting = waiting[: self.n_jobs], waiting[self.n_jobs :]
            while len(batch) < self.n_jobs and (number := len(study.trials)) < self.n_trials:
                study.sampler = self.sampler(seed=self.seed + number)
                batch.append(ask_trial(study, overrides))
            if not batch:
                break
            self.run(batch)
        if any(trial.value is not None for trial in study.trials):
            best = study.best_trial
            chosen = [o for o in best.user_attrs[OVERRIDES] if o.partition("=")[0] in best.params]
            print(f"best of {len(study.trials)}: {self.objective}={best.value:.2f} with {' '.join(chosen)}")

    def run(self, trials: Sequence["Trial"]) -> None:
        """Run a batch and report its results. A failed trial stays unfinished, so rerunning the command repeats it."""
        from optuna.trial import TrialState

        from vae_lightning.sweeps.optuna_study import OVERRIDES

        overrides = [trial.user_attrs[OVERRIDES] for trial in trials]
        results = self.launcher.launch(overrides, initial_job_idx=trials[0].number)
        for trial, result in zip(trials, results, strict=True):
            hydra_cfg: Any = result.hydra_cfg
            if (Path(hydra_cfg.hydra.runtime.output_dir) / PRUNED).is_file():
                trial.study.tell(trial, state=TrialState.PRUNED)
            elif result.return_value is not None:
                trial.study.tell(trial, result.return_value)
