"""The composition root: reads the settings and wires the service; nothing else does either."""

from __future__ import annotations

import sys

from modeldeck_events import presets
from modeldeck_events.presets import RefreshPresets
from modeldeck_events.runtime import Service
from modeldeck_events.settings import SettingsError, load

from catalog.copies import Copies
from catalog.handlers import Handlers
from catalog.policies import FinishedFiles, Schedule
from catalog.refresh import Refresher
from catalog.root_marker import RootMarker
from catalog.settings import Settings
from catalog.source import source_for
from catalog.states import ModelFilesFold, PresetsFold
from catalog.watch import Watch


def build(settings: Settings) -> Service:
    """Return the catalog service, ready to run."""
    service = Service("catalog", settings)
    published, files = PresetsFold(), ModelFilesFold(settings.pool)
    watch = Watch(
        service.store,
        files,
        settings.models,
        named=published.paths,
        marker=RootMarker(settings.folder / "models-folder.json", settings.models),
    )
    finished = FinishedFiles(settings.pool, watch.look_at)
    projector = service.folds(
        (published, files, finished),
        subjects=(f"evt.{presets.AGGREGATE}.>", presets.CATALOG_SUBJECT, *files.subjects, finished.subjects),
    )
    finished.begin_after(projector.caught_up)
    refresher = Refresher(
        service.store,
        published,
        source_for(settings.presets_url),
        Copies(settings.folder),
        wait_for=projector.wait_for,
    )
    service.command(RefreshPresets)(Handlers(refresher).refresh_presets)
    service.task(Schedule(refresher, interval_s=settings.presets_refresh_s).run, name="refresh presets")
    service.task(watch.run, name="watch the models folder")
    service.detail = lambda: {
        "presets": sum(1 for _ in published.presets.live()),
        "presets_problem": refresher.problem,
        "model_files": sum(1 for _ in files.files.live()),
        "models_problem": watch.problem,
    }
    return service


def main() -> int:
    """Run the service until it is told to end; 2 when the configuration cannot be used."""
    try:
        settings = load(Settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return build(settings).run()
