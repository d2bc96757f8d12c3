"""How far the latents tell the factors apart."""

from collections.abc import Callable, Sequence
from typing import Any

from vae_lightning import metrics
from vae_lightning.data import Batch
from vae_lightning.errors import UserError
from vae_lightning.evaluation.findings import Finding, Findings, refused
from vae_lightning.evaluation.settings import Settings
from vae_lightning.evaluation.subject import Subject, encode
from vae_lightning.metrics.disentanglement.mig import BINS
from vae_lightning.models import ELBOModule

Metric = Callable[[Any, Any, int], Any]  # codes, factors, seed


def table_of_metrics(s: Settings) -> list[tuple[tuple[str, ...], Metric, str]]:
    """Each metric: the names of its numbers, what is called, and how it is set."""
    counts = {"train": s.points, "test": s.points // 2}
    said = f"{s.points:,} points teach, {s.points // 2:,} test"
    return [
        (("mig",), lambda z, y, seed: metrics.mig(z, y), f"{BINS} bins"),
        (
            ("dci_disentanglement", "dci_completeness", "dci_informativeness"),
            lambda z, y, seed: metrics.dci(z, y, trees=s.trees, seed=seed),
            f"forests of {s.trees}, halves teach and test",
        ),
        (("sap",), lambda z, y, seed: metrics.sap(z, y, seed=seed), "thresholds, halves teach and test"),
        (
            ("beta_vae_metric",),
            lambda z, y, seed: metrics.beta_vae_metric(z, y, seed=seed, **counts),
            f"64 pairs, {said}",
        ),
        (
            ("factor_vae_metric",),
            lambda z, y, seed: metrics.factor_vae_metric(z, y, seed=seed, **counts),
            f"groups of 64, {said}",
        ),
        (("modularity",), lambda z, y, seed: metrics.modularity(z, y), f"{BINS} bins"),
        (("explicitness",), lambda z, y, seed: metrics.explicitness(z, y, seed=seed), "halves teach and test"),
    ]


def disentanglement(subject: Subject, peers: Sequence[ELBOModule] = ()) -> Findings:
    """Every metric of posterior means and factors, and UDR where there are runs of other seeds to compare with."""
    s = subject.settings
    chosen = table_of_metrics(s)
    names = tuple(name for group, _, _ in chosen for name in group)
    unsupervised = ranking(subject, peers)
    if subject.y is None:
        return refused(names, "these images have no factors") | unsupervised
    if subject.y.dim() == 1:
        return refused(names, "the labels are classes, not factors that vary one by one") | unsupervised
    findings: Findings = {}
    for group, metric, note in chosen:
        try:
            found = metrics.over_repeats(
                metric,
                subject.encoded.mean,
                subject.y,
                samples=s.factor_images,
                repeats=s.repeats,
                seed=s.seed,
                track=subject.track(group[0]),
            )
        except UserError as error:  # such as a single factor that varies
            findings |= refused(group, str(error))
            continue
        note = f"{s.repeats} x {found.n:,} images; {note}"
        findings |= {
            name: Finding(float(mean), std=float(std), note=note)
            for name, mean, std in zip(group, found.mean, found.std, strict=True)
        }
    return findings | unsupervised


def ranking(subject: Subject, peers: Sequence[ELBOModule]) -> Findings:
    """UDR of this run among those of other seeds."""
    if not peers:
        return refused(("udr",), "it compares runs of other seeds: type --peers RUN ...")
    images = Batch(subject.x, subject.y)
    encoded = [subject.encoded]
    for peer in peers:
        encoded.append(encode(peer.to(subject.device), subject.batches(images), subject.settings.seed))
    kl = [e.kl.mean(0) for e in encoded if e.kl is not None]
    scores = metrics.udr([e.mean for e in encoded], kl if len(kl) == len(encoded) else None)
    return {"udr": Finding(float(scores[0]), note=f"among {len(encoded)} runs, Spearman, {len(subject.x):,} images")}
