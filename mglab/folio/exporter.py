"""The folio as an nbconvert format: ``jupyter nbconvert --to folio`` and JupyterLab's export menu.

This module stays tiny and imports the rest when it is used: nbconvert loads every registered exporter, and
one that could not be imported would break all other conversions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbconvert.exporters.base import Exporter
from traitlets import Bool, default


class FolioExporter(Exporter):
    """Typesets an executed notebook, or with ``sequence`` its whole run, as one PDF."""

    export_from_notebook = "Folio (PDF)"
    output_mimetype = "application/pdf"
    sequence = Bool(False, help="Export every notebook of the run, not this one alone.").tag(config=True)

    @default("file_extension")
    def _default_file_extension(self) -> str:
        return ".pdf"

    def from_notebook_node(self, nb: Any, resources: Any = None, **kw: Any) -> tuple[Any, dict[str, Any]]:
        """Give the PDF's bytes and nbconvert's resources."""
        from mglab.folio import build, record
        from mglab.folio.compose import Source

        copy, resources = super().from_notebook_node(nb, resources, **kw)
        told = resources.get("metadata") or {}
        folder = Path(told.get("path") or ".")
        run_folder = build.run_folder_of(folder)
        run = record.read(run_folder) if run_folder else record.RunRecord()
        whole = self.sequence and run_folder is not None
        if self.sequence and run_folder is not None:
            sources = build.sources_of(run_folder, run)
        else:
            sources = [Source(str(told.get("name") or "notebook"), notebook=copy, folder=folder)]
        resources["output_extension"] = ".pdf"
        return build.folio_pdf(run, sources, run_folder, whole=whole), resources
