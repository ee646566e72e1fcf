import { lazy, Suspense, useCallback, useRef } from "react";
import { refreshPresets, useCommand } from "../api/commands";
import { useTopic } from "../api/useLive";
import { PageHead } from "../shell/PageHead";
import { useShortcuts } from "../shell/shortcuts";
import { Icon } from "../icons";
import { Boundary, Button, Loading, Section } from "../ui";
import { TABS, usePlace, type Opened, type Tab } from "./models/address";
import { useFreshness } from "./models/data";
import { NOTHING } from "./models/facets";
import { useChosen } from "./models/FilterBar";
import { PresetsTab } from "./models/PresetsTab";
import { QueueStrip } from "./models/QueueStrip";
import { Storage } from "./models/Storage";
import { STOPS, useTour } from "./models/tour";
import { QueueOpener } from "./models/useStart";
import "./models/models.css";

const Featured = lazy(() => import("./models/Featured"));
const RepositoriesTab = lazy(() => import("./models/RepositoriesTab"));
const FilesTab = lazy(() => import("./models/FilesTab"));
const PresetDrawer = lazy(() => import("./models/PresetDrawer"));
const FileDrawer = lazy(() => import("./models/FileDrawer"));
const RepositoryDrawer = lazy(() => import("./models/RepositoryDrawer"));
const DownloadDrawer = lazy(() => import("./models/DownloadDrawer"));
const QueueDrawer = lazy(() => import("./models/QueueDrawer"));
const Tour = lazy(() => import("./models/Tour"));

const TITLES: Record<Tab, string> = { presets: "Presets", repositories: "Repositories", files: "Files" };

/** Find, download and manage models: presets of the catalog, repositories of hubs, and the files that are here. */
export default function Models() {
  useFreshness();
  const place = usePlace();
  const { tab, opened, show, open, close } = place;
  const [tour, setTour] = useTour();
  const [chosenFiles, setChosenFiles] = useChosen("files");
  const { run, pending } = useCommand("catalog");
  const latest = useRef(place);
  latest.current = place;
  const openPreset = useCallback((id: string) => latest.current.open({ kind: "preset", id }), []);
  const openFile = useCallback((path: string) => latest.current.open({ kind: "file", path }), []);
  const openRepository = useCallback((repo: string) => latest.current.open({ kind: "repository", repo }), []);
  const openQueue = useCallback(() => latest.current.open({ kind: "queue" }), []);
  const openDownload = useCallback((text?: string) => latest.current.open({ kind: "download", text: text ?? "" }), []);
  useShortcuts([
    { keys: "n", does: "Download a model", run: () => openDownload() },
    { keys: "q", does: "Open the download queue", run: openQueue },
    { keys: "/", does: "Search models", run: () => document.getElementById("models-search")?.focus() },
  ]);
  const startTour = () => {
    show("presets");
    setTour({ ...tour, currentStep: 0 });
  };
  const touring = tour.currentStep >= 0 && tour.currentStep < STOPS.length;
  return (
    <QueueOpener value={openQueue}>
      <PageHead title="Models" about="Find, download and manage the models of this studio.">
        <Button icon="refresh" busy={pending} disabled={pending} label="Refresh catalog" onClick={() => run(refreshPresets())} />
        <QueueButton onClick={openQueue} />
        <Button id="download-model" icon="download" kind="primary" onClick={() => openDownload()}>
          Download model
        </Button>
      </PageHead>
      <div className="models-page">
        {!tour.hasSeenTour && !tour.isDismissed && !touring && (
          <Welcome onDismiss={() => setTour({ ...tour, isDismissed: true })} onTour={startTour} />
        )}
        <Boundary title="Storage">
          <Storage
            live={tab === "files"}
            onShow={(status) => {
              setChosenFiles({ ...NOTHING, statuses: [status], sort: "size" });
              show("files");
              requestAnimationFrame(() => document.getElementById("tab-files")?.focus());
            }}
          />
        </Boundary>
        {tab === "presets" && (
          <Boundary title="Featured models">
            <Suspense fallback={null}>
              <Featured onLearnMore={openDownload} onMore={() => openDownload()} />
            </Suspense>
          </Boundary>
        )}
        <Tabs tab={tab} onShow={show} />
        <QueueStrip onOpen={openQueue} />
        <div id={`panel-${tab}`} role="tabpanel" aria-labelledby={`tab-${tab}`}>
          <Boundary key={tab} title={TITLES[tab]}>
            <Suspense
              fallback={
                <Section id={`loading-${tab}`} title={TITLES[tab]}>
                  <Loading what={TITLES[tab].toLowerCase()} lines={6} />
                </Section>
              }
            >
              {tab === "presets" && <PresetsTab onDetails={openPreset} />}
              {tab === "repositories" && <RepositoriesTab onDetails={openRepository} onDownload={openDownload} />}
              {tab === "files" && <FilesTab chosen={chosenFiles} onChosen={setChosenFiles} onDetails={openFile} onDownload={() => openDownload()} />}
            </Suspense>
          </Boundary>
        </div>
        <Boundary key={JSON.stringify(opened)} title="Details">
          <Suspense fallback={null}>{opened && <Over opened={opened} onClose={close} onOpen={open} />}</Suspense>
        </Boundary>
        <Suspense fallback={null}>
          {touring && (
            <Tour
              step={tour.currentStep}
              onStep={(currentStep) => setTour({ ...tour, currentStep })}
              onEnd={(done) => setTour({ hasSeenTour: tour.hasSeenTour || done, currentStep: -1, isDismissed: true })}
            />
          )}
        </Suspense>
      </div>
    </QueueOpener>
  );
}

interface OverProps {
  opened: Opened;
  onClose: () => void;
  onOpen: (opened: Opened) => void;
}

/** What lies open over the page. */
function Over({ opened, onClose, onOpen }: OverProps) {
  switch (opened.kind) {
    case "preset":
      return <PresetDrawer id={opened.id} onClose={onClose} />;
    case "file":
      return <FileDrawer path={opened.path} onClose={onClose} />;
    case "repository":
      return <RepositoryDrawer repo={opened.repo} onClose={onClose} onDownload={(text) => onOpen({ kind: "download", text })} />;
    case "download":
      return <DownloadDrawer text={opened.text} onClose={onClose} />;
    case "queue":
      return <QueueDrawer onClose={onClose} />;
  }
}

function QueueButton({ onClick }: { onClick: () => void }) {
  const queue = useTopic("queue")?.data;
  const count = queue ? Object.keys(queue.active).length + Object.keys(queue.queue).length : 0;
  return (
    <Button icon="queue" onClick={onClick}>
      Queue
      {count > 0 && (
        <>
          {" "}
          <b className="queue-count">{count}</b>
        </>
      )}
    </Button>
  );
}

/** One tab stop; the arrow keys go from tab to tab. */
function Tabs({ tab, onShow }: { tab: Tab; onShow: (tab: Tab) => void }) {
  const go = (to: Tab) => {
    onShow(to);
    document.getElementById(`tab-${to}`)?.focus();
  };
  const onKey = (event: React.KeyboardEvent) => {
    const at = TABS.indexOf(tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
    const next = to === undefined ? undefined : TABS.at(to % TABS.length);
    if (!next) return;
    event.preventDefault();
    go(next);
  };
  return (
    <div className="tabs" role="tablist" aria-label="What to show" onKeyDown={onKey}>
      {TABS.map((name) => (
        <button
          key={name}
          type="button"
          id={`tab-${name}`}
          role="tab"
          aria-selected={name === tab}
          aria-controls={name === tab ? `panel-${name}` : undefined}
          tabIndex={name === tab ? 0 : -1}
          onClick={() => onShow(name)}
        >
          {TITLES[name]}
        </button>
      ))}
    </div>
  );
}

function Welcome({ onDismiss, onTour }: { onDismiss: () => void; onTour: () => void }) {
  return (
    <section className="card welcome" aria-label="Welcome">
      <Icon name="models" />
      <div>
        <strong>Welcome to your models</strong>
        <p className="muted">Everything about models is on this page: discover them, download them, see who needs them, and free space safely.</p>
      </div>
      <div className="buttons">
        <Button kind="quiet" onClick={onDismiss}>
          Dismiss
        </Button>
        <Button kind="primary" onClick={onTour}>
          Take a tour
        </Button>
      </div>
    </section>
  );
}
