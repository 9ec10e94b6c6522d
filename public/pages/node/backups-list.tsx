/** @module Earlier configurations, each with the way back to it. */
import type { NodeConfiguration } from "../../../services/corrosion/contract.ts";
import { Age } from "../../components/age.tsx";
import { Button } from "../../components/button.tsx";
import { countText } from "../../data/wording.ts";

type Backup = NodeConfiguration["backups"][number];

export interface BackupsListProps {
  /** The newest first. */
  readonly backups: readonly Backup[];
  readonly disabled: boolean;
  readonly onRollback: (backup: Backup) => Promise<void>;
}

export function BackupsList({ backups, disabled, onRollback }: BackupsListProps) {
  return (
    <div>
      <h3 class="mb-1 flex items-center gap-2 text-xs font-semibold">
        Backups <span class="font-normal text-muted">{countText(backups.length, "backup")}</span>
      </h3>
      {backups.length === 0 ? (
        <p class="text-muted">There are none: the configuration was not changed yet.</p>
      ) : (
        <ul class="max-h-56 divide-y divide-line/70 overflow-y-auto rounded-md border border-line">
          {backups.map((backup) => (
            <li key={backup.id} class="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 py-1.5">
              <span class="min-w-0 font-mono text-xs break-all">{backup.id}</span>
              <span class="text-xs text-muted">
                <Age at={backup.created_at} />
              </span>
              <span class="ml-auto">
                <Button
                  size="small"
                  label={`Rollback to ${backup.id}`}
                  disabled={disabled}
                  onPress={() => onRollback(backup)}
                >
                  Rollback
                </Button>
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
