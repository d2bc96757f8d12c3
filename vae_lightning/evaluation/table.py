"""What is found, as a person reads it and as a file keeps it."""

from itertools import groupby
from typing import Any

from rich.table import Table

from vae_lightning.evaluation.findings import Finding, Findings


def table(findings: dict[str, Findings], title: str) -> Table:
    """A section a group of questions."""
    result = Table("", "value", "±", "how", title=title, title_justify="left")
    for found in findings.values():
        result.add_section()
        for name, finding in joined(found).items():
            result.add_row(name, *shown(finding))
    return result


def joined(found: Findings) -> Findings:
    """The findings, with those in a row that there are not, for one reason, as one: `first ... last`."""
    result: Findings = {}
    for (absent, note), group in groupby(found.items(), key=lambda item: (item[1].value is None, item[1].note)):
        items = list(group)
        if absent and len(items) > 1:
            items = [(f"{items[0][0]} ... {items[-1][0]}", Finding(None, note=note))]
        result |= dict(items)
    return result


def shown(finding: Finding) -> tuple[str, str, str]:
    """Value, uncertainty and note of one finding."""
    value, error, std, note = finding
    if value is None:
        return "-", "", note
    if isinstance(value, list):
        return f"{digits(min(value))} to {digits(max(value))}", "", note
    uncertainty = std if error is None else error
    return digits(value), "" if uncertainty is None else f"{uncertainty:.2g}", note


def digits(value: float) -> str:
    """Whole numbers as they are, two decimals where there are tens before them, else four significant digits."""
    if value.is_integer():
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4g}"


def flat(group: str, findings: Findings) -> dict[str, Any]:
    """`group/name` to its number, `_se` and `_std` beside it; None where there is none."""
    numbers: dict[str, Any] = {}
    for name, finding in findings.items():
        numbers[f"{group}/{name}"] = finding.value
        if finding.error is not None:
            numbers[f"{group}/{name}_se"] = finding.error
        if finding.std is not None:
            numbers[f"{group}/{name}_std"] = finding.std
    return numbers
