"""The composition root: reads the settings and wires the service; nothing else does either."""

from __future__ import annotations

import itertools
import sys

from modeldeck_events import presets
from modeldeck_events.presets import RefreshPresets
from modeldeck_events.repositories import DescribeRepository, RefreshFeatured
from modeldeck_events.runtime import Service
from modeldeck_events.settings import load
from modeldeck_events.store import EventStore
from modeldeck_events.templates import ScanWorkflow

from catalog import registry_layout
from catalog.copies import Copies
from catalog.downloaded import DownloadsFold
from catalog.featured.fold import FeaturedFold
from catalog.featured.refresh import FeaturedRefresher
from catalog.handlers import FeaturedHandlers, Handlers
from catalog.hashing import Hasher
from catalog.hubs.civitai import Civitai
from catalog.hubs.describing import Describer
from catalog.hubs.handlers import HubHandlers
from catalog.hubs.hosts import CIVITAI, HUGGING_FACE, hub_host
from catalog.hubs.huggingface import HuggingFace
from catalog.library.assembly import Known, Library
from catalog.policies import FinishedFiles, Schedule
from catalog.refresh import Refresher
from catalog.root_marker import RootMarker
from catalog.roots import RootsFile
from catalog.settings import Settings
from catalog.source import source_for
from catalog.states import ModelFilesFold, PresetsFold
from catalog.watch import Watch
from catalog.workflows.fold import TemplatesFold
from catalog.workflows.folders import Root
from catalog.workflows.handlers import ScanHandler
from catalog.workflows.loaders import Loaders
from catalog.workflows.watch import TemplateWatch


def build(settings: Settings) -> Service:
    """Return the catalog service, ready to run."""
    service = Service("catalog", settings)
    published, files = PresetsFold(), ModelFilesFold(settings.pool)
    roots_file = RootsFile(settings.models, settings.extra_model_paths)
    watch = Watch(
        service.store,
        files,
        roots_file,
        named=published.paths,
        marker=RootMarker(settings.folder / "models-folder.json"),
    )
    finished, downloaded = FinishedFiles(settings.pool, watch.look_at), DownloadsFold(settings.pool)
    hasher = Hasher(service.store, files, downloaded, watch)
    templates, loaders = TemplatesFold(settings.pool), Loaders(settings.loaders_file)
    roots = [Root(name, folder) for name, folder in settings.templates.items()]
    own_root = None if settings.template_dirs else roots[0].folder
    template_watch = TemplateWatch(service.store, templates, roots, loaders, make=own_root)
    featured = FeaturedFold()
    scanner = ScanHandler(loaders, files.index)
    library = Library(
        service,
        Known(files, published, templates),
        settings.models,
        look_at=watch.look_at,
        want=hasher.want,
        scan=scanner.read,
    )
    projector = service.folds(
        (published, featured, files, finished, downloaded, templates, *library.folds),
        subjects=sorted(  # each once: JetStream refuses filters that overlap
            {
                f"evt.{presets.AGGREGATE}.>",
                presets.CATALOG_SUBJECT,
                featured.subjects,
                *files.subjects,
                finished.subjects,
                templates.subjects,
                *library.subjects,
            }
        ),
    )
    finished.begin_after(projector.caught_up)
    refresher = Refresher(
        service.store,
        published,
        source_for(settings.presets_url, members=registry_layout.members),
        Copies(settings.folder),
        wait_for=projector.wait_for,
    )
    service.command(RefreshPresets)(Handlers(refresher).refresh_presets)
    featured_feed = FeaturedRefresher(
        service.store,
        featured,
        source_for(settings.featured_url, starter="featured.yaml"),
        Copies(settings.folder, "featured"),
        wait_for=projector.wait_for,
    )
    service.command(RefreshFeatured)(FeaturedHandlers(featured_feed, featured).refresh_featured)
    service.task(Schedule(featured_feed, interval_s=settings.presets_refresh_s).run, name="refresh the featured list")
    service.task(Schedule(refresher, interval_s=settings.presets_refresh_s).run, name="refresh presets")
    service.task(watch.run, name="watch the models folder")
    service.task(hasher.run, name="hash the model files")
    service.command(ScanWorkflow)(scanner.scan_workflow)
    service.task(template_watch.run, name="watch the templates")
    service.command(DescribeRepository)(HubHandlers(_describer(service.store, settings)).describe_repository)
    service.detail = lambda: {
        "presets": sum(1 for _ in published.presets.live()),
        "presets_problem": refresher.problem,
        "presets_refresh_s": settings.presets_refresh_s,
        "featured_problem": featured_feed.problem,
        "model_files": sum(1 for _ in files.files.live()),
        "models_problem": watch.problem,
        "models_skipped": {"count": watch.skipped_count, "examples": dict(itertools.islice(watch.skipped.items(), 20))},
        "extra_model_paths_problem": roots_file.problem,
        "hashing": hasher.detail(),
        "templates": sum(1 for _ in templates.templates.live()),
        "templates_scanned": template_watch.scanned_all,
        "templates_problems": template_watch.problems(),
    }
    return service


def _describer(store: EventStore, settings: Settings) -> Describer:
    """Return who asks the hubs; raises ValueError for an address or a token that cannot be used."""
    hf_token, civitai_token = (
        secret.get_secret_value() if secret else None for secret in (settings.hf_token, settings.civitai_token)
    )
    mirrors, trusted = settings.mirrors, settings.trusted_mirrors
    hub = hub_host(
        HUGGING_FACE, token=hf_token, endpoint=settings.hf_endpoint, mirrors=mirrors, trusted_mirrors=trusted
    )
    civitai = hub_host(CIVITAI, token=civitai_token, mirrors=mirrors, trusted_mirrors=trusted)
    return Describer(store, HuggingFace(hub), Civitai(civitai))


def main() -> int:
    """Run the service until it is told to end; 2 when the configuration cannot be used."""
    try:
        service = build(load(Settings))
    except ValueError as error:  # also the SettingsError
        sys.stderr.write(f"{error}\n")
        return 2
    return service.run()
