/**
 * What the page reads of the live topics, narrower than `schema.d.ts`, which is generated from the gateway; at the end
 * the compiler checks that what the gateway states fits. A value that the server does not know is absent.
 */
import type { components } from "./schema";

export type DownloadStatus =
  | "available"
  | "queued"
  | "downloading"
  | "verifying"
  | "retrying"
  | "paused"
  | "completed"
  | "failed"
  | "cancelled";

export type PresetStatus = DownloadStatus | "installed";

export interface Warning {
  code: string;
  message: string;
}

/** What an update changes about one file. */
export interface ChangedFile {
  path: string;
  change: "new" | "changed" | "removed";
}

export interface Preset {
  id: string;
  name: string;
  description?: string;
  /** The catalog's own words, such as "~15GB". */
  download_size?: string | null;
  size_bytes?: number | null;
  category?: string;
  type?: string;
  installed: boolean;
  status: PresetStatus;
  /** 0..100 */
  progress?: number | null;
  tags?: string[];
  warnings?: Warning[];
  error?: string | null;
  error_code?: string | null;
  download_id?: string | null;
  modified_at?: string | null;
  version?: string | null;
  /** It is installed as the catalog had it before, in `installed_version` if that was stated. */
  update_available?: boolean;
  installed_version?: string | null;
  changed_files?: ChangedFile[] | null;
}

interface Identified {
  download_id: string;
  /** Absent for a single file. */
  preset_id?: string | null;
  name: string;
  status: DownloadStatus;
}

export interface ActiveItem extends Identified {
  progress?: number | null;
  downloaded_bytes?: number | null;
  total_bytes?: number | null;
  speed?: string | null;
  speed_bps?: number | null;
  eta?: string | null;
  eta_s?: number | null;
  file?: { path?: string; kind?: string; index?: number; count?: number } | null;
  attempt?: number | null;
  /** While retrying: how often the file was tried, of how many times, and when it goes on. */
  tries?: number | null;
  max_tries?: number | null;
  retry_at?: string | null;
  error?: string | null;
  error_code?: string | null;
  started_at?: string | null;
}

export interface QueuedItem extends Identified {
  position: number;
  total_bytes?: number | null;
  downloaded_bytes?: number | null;
  progress?: number | null;
  queued_at?: string | null;
  error?: string | null;
  error_code?: string | null;
}

export interface EndedItem extends Identified {
  status: "completed" | "failed" | "cancelled";
  total_bytes?: number | null;
  error?: string | null;
  error_code?: string | null;
  finished_at?: string | null;
}

export interface QueueTopic {
  /** The download_id of the first running download. */
  current: string | null;
  active: Record<string, ActiveItem>;
  queue: Record<string, QueuedItem>;
  completed: Record<string, EndedItem>;
  active_downloads: number;
  paused: boolean;
  max_concurrent: number;
  bandwidth_limit_bps?: number | null;
  seq?: number;
}

export interface PresetsTopic {
  presets: Record<string, Preset>;
  categories?: Record<string, { description?: string | null; type?: string | null }>;
  version?: string | null;
  total?: number;
  /** What is odd about the catalog file itself, such as a preset that had to be left out. */
  warnings?: Warning[];
}

export interface MemoryUse {
  total: number;
  used: number;
  percent: number;
}

/** A failed probe has `error` and no numbers. */
export interface DiskUse {
  path?: string | null;
  total?: number | null;
  used?: number | null;
  free?: number | null;
  percent?: number | null;
  error?: string | null;
}

export interface GpuDevice {
  name: string;
  memory_used_bytes?: number | null;
  memory_total_bytes?: number | null;
  utilization?: number | null;
  error?: string | null;
}

export interface HostResources {
  at?: string | null;
  /** The host fell silent: its figures are of `at`. */
  stale?: boolean | null;
  cpu_percent?: number | null;
  cpu_count?: number | null;
  memory?: MemoryUse | null;
  disk?: DiskUse | null;
  disks?: DiskUse[] | null;
  gpu?: { devices?: GpuDevice[] | null } | null;
}

export interface ResourcesTopic extends HostResources {
  hosts?: Record<string, HostResources>;
}

/** The inventory: one entry per model file. It can be large: only pages that list files follow it. */
export interface ModelsTopic {
  models: Record<string, Stated["ModelFile"]>;
  storage: Stated["StorageReport"];
  total: number;
  /** What was deleted on request, by path; the last one last. */
  deleted?: Record<string, Stated["DeletedModel"]>;
}

export interface Topics {
  queue: QueueTopic;
  presets: PresetsTopic;
  resources: ResourcesTopic;
  models: ModelsTopic;
  templates: Stated["TemplatesTopic"];
  featured: Stated["FeaturedTopic"];
  stats: Stated["Stats"];
  overview: Stated["OverviewTopic"];
  "active-tasks": Stated["TasksTopic"];
  "project-progress": Stated["ProjectsTopic"];
  "disk-health": Stated["DiskHealthTopic"];
  /** The signed-in person's own board and settings. */
  user: Stated["UserTopic"];
}

export type TopicName = keyof Topics;

export interface ActivityEntry {
  id: string;
  type: string;
  category?: string;
  status?: string;
  title: string;
  subtitle?: string | null;
  timestamp: string;
  link?: string | null;
  download_id?: string | null;
  project_id?: string | null;
  project_name?: string | null;
  /** The fact's position in the log, for `?at=`. */
  seq?: number | null;
  actor_user_id?: string | null;
}

type Stated = components["schemas"];
/** Without the members that are open, and the status, which the page narrows. */
type Closed<T> = { [K in keyof T as string extends K ? never : K extends "status" | "presets" ? never : K]: T[K] };
type Fits<Expected, Actual extends Expected> = Actual;

/** Compiles while what the gateway states is what the page expects. */
export type Checked = [
  Fits<Closed<Preset>, Closed<Stated["Preset"]>>,
  Fits<Closed<ActiveItem>, Closed<Stated["ActiveDownload"]>>,
  Fits<Closed<QueuedItem>, Closed<Stated["WaitingDownload"]>>,
  Fits<Closed<EndedItem>, Closed<Stated["EndedDownload"]>>,
  Fits<Closed<PresetsTopic>, Closed<Stated["PresetsTopic"]>>,
  Fits<Closed<HostResources>, Closed<Stated["HostResources"]>>,
  Fits<Closed<ActivityEntry>, Closed<Stated["ActivityEntry"]>>,
  Fits<keyof States | "models", TopicName>,
];
type States = Closed<Stated["States"]> & Pick<Stated["States"], "presets">;
