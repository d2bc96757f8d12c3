"""Draw which package imports which, from the code, into docs/architecture.md: `make imports`."""

import re
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

PACKAGE = "vae_lightning"
PAGE = Path(__file__).with_name("architecture.md")
DRAWING = re.compile(r"(?<=<!-- imports -->\n).*?(?=<!-- /imports -->)", re.DOTALL)


def imports() -> dict[str, set[str]]:
    """Return the packages that each package imports, directly or through others."""
    graph = grimp.build_graph(PACKAGE)
    found: dict[str, set[str]] = {child.removeprefix(f"{PACKAGE}."): set() for child in graph.find_children(PACKAGE)}
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            importer, target = (name.split(".")[1] if "." in name else None for name in (module, imported))
            if importer and target and importer != target:
                found[importer].add(target)
    for name in TopologicalSorter(found).static_order():  # raises CycleError for a cycle
        found[name] |= {indirect for direct in found[name] for indirect in found[direct]}
    return found


def drawing() -> str:
    """Return a Mermaid flowchart that leaves out imports which follow from others."""
    found = imports()
    arrows = [
        f"    {name} --> {target}"
        for name, targets in sorted(found.items())
        for target in sorted(targets - {indirect for direct in targets for indirect in found[direct]})
        if target != "errors"
    ]
    return "\n".join(["```mermaid", "flowchart TD", *arrows, "```", ""])


if __name__ == "__main__":
    PAGE.write_text(DRAWING.sub(drawing(), PAGE.read_text()))
