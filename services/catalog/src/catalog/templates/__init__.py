"""The workflow template scanner: which model files a ComfyUI workflow names, in either of its formats.

`scan(data)` takes the bytes of a file and never raises for what is in them. Where to read: `table.py` (which inputs
name files, and how to add custom nodes), `reading.py` (bytes to a workflow, over `shapes.py` and `parts.py`),
`graph.py`, `containers.py` and `nesting.py` (links, subgraphs, group nodes), `scanner.py` and `editor.py` (the walks,
over `naming.py`), `findings.py` (the answer).
"""

from catalog.templates.findings import Reference, Scan, ScanWarning
from catalog.templates.scanner import VERSION, scan
from catalog.templates.table import FolderRule, LoaderTable, LoaderTableError

__all__ = ["VERSION", "FolderRule", "LoaderTable", "LoaderTableError", "Reference", "Scan", "ScanWarning", "scan"]
