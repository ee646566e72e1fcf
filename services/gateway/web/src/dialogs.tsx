import type { DownloadRef } from "./api/commands";
import { late } from "./late";

export interface CancelDialogProps {
  /** The download in question; undefined keeps the dialog closed. */
  download: DownloadRef | undefined;
  onClose: () => void;
  onCancel: (download: DownloadRef, keepPartial: boolean) => void;
}

export interface ReplaceDialogProps {
  /** The failed download in question, with what stands in its way; undefined keeps the dialog closed. */
  download: (DownloadRef & { error?: string | null | undefined }) | undefined;
  onClose: () => void;
  onReplace: (download: DownloadRef) => void;
}

const isOpen = ({ download }: { download: unknown }) => download !== undefined;

export const CancelDialog = late<CancelDialogProps>(async () => (await import("./parts/CancelDialog")).CancelDialog, isOpen);
export const ReplaceDialog = late<ReplaceDialogProps>(async () => (await import("./parts/ReplaceDialog")).ReplaceDialog, isOpen);
