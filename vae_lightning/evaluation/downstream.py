"""What simple readers make of the latents."""

from vae_lightning import metrics
from vae_lightning.evaluation.findings import Finding, Findings, refused
from vae_lightning.evaluation.subject import Subject, encode


def downstream(subject: Subject) -> Findings:
    """The labels' accuracy by a linear probe and by nearest neighbours, both taught on training images."""
    s = subject.settings
    if subject.y is None:
        return refused(("linear_probe", "knn", "majority"), "these images have no labels")
    taught = subject.draw_images("train", s.probe_images)
    codes = encode(subject.model, subject.batches(taught), s.seed).mean
    labels = (codes, taught.y, subject.encoded.mean, subject.y)
    note = f"accuracy; {len(codes):,} posterior means teach, {len(subject.x):,} test"
    neighbours = min(5, len(codes))
    return {
        "linear_probe": Finding(metrics.linear_probe(*labels), note=note),
        "knn": Finding(metrics.knn_accuracy(*labels, neighbours=neighbours), note=f"accuracy; {neighbours} neighbours"),
        "majority": Finding(metrics.majority(taught.y, subject.y), note="accuracy of naming the most frequent value"),
    }
