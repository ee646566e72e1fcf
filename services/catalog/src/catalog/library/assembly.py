"""The library as the composition root sees it: its folds, its subjects, its commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modeldeck_events.envelope import utc_now
from modeldeck_events.modelfiles import DeleteModelFile, LinkModelFile, PlanRestore
from modeldeck_events.presets import UninstallPreset
from modeldeck_events.projector import Fold
from modeldeck_events.runtime import Service
from modeldeck_events.templates import LockWorkflow, PlanLock, PlanMissing

from catalog.library.change_handlers import ChangeHandlers
from catalog.library.deleting import Deleter
from catalog.library.linking import Linker
from catalog.library.locking import Locking
from catalog.library.needs import Needs
from catalog.library.plan_handlers import PlanHandlers, Scanner
from catalog.library.planning import Planner
from catalog.library.provenance import OriginsFold
from catalog.library.repositories import RepositoriesFold
from catalog.library.sources import Sources
from catalog.states import ModelFilesFold, PresetsFold
from catalog.workflows.fold import TemplatesFold


@dataclass(frozen=True, slots=True)
class Known:
    """What other parts of the service fold of the log."""

    files: ModelFilesFold
    published: PresetsFold
    templates: TemplatesFold


class Library:
    """Registers the commands on `service`; `folds` have to be kept up to `subjects` by it.

    `look_at` has a path looked at by the inventory, `want` has it hashed before all others, `scan` reads a workflow.
    """

    def __init__(  # noqa: PLR0913 - what it is given by the composition root, by keyword
        self,
        service: Service,
        known: Known,
        models: Path,
        *,
        look_at: Callable[[str], None],
        want: Callable[[str], None],
        scan: Scanner,
    ) -> None:
        origins, repositories = OriginsFold(known.files.pool), RepositoriesFold()
        self.folds: tuple[Fold, ...] = (origins, repositories)
        self.subjects = (*origins.subjects, *repositories.subjects)
        sources = Sources(known.published, repositories, origins)
        planner = Planner(known.files, known.templates, origins, sources)
        changes = ChangeHandlers(
            service.store,
            files=known.files,
            published=known.published,
            origins=origins,
            needs=Needs(known.files, known.published, known.templates, origins),
            deleter=Deleter(service.store, known.files, origins, planner, str(models)),
            linker=Linker(service.store, known.files, str(models), look_at=look_at),
        )
        plans = PlanHandlers(
            templates=known.templates,
            planner=planner,
            locking=Locking(known.files, planner, sources),
            scan=scan,
            want=want,
            clock=utc_now,
        )
        service.command(DeleteModelFile)(changes.delete)
        service.command(UninstallPreset)(changes.uninstall)
        service.command(LinkModelFile)(changes.link)
        service.command(PlanRestore)(plans.restore)
        service.command(PlanMissing)(plans.missing)
        service.command(LockWorkflow)(plans.lock)
        service.command(PlanLock)(plans.against_lock)
