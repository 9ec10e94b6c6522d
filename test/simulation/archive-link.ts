/** @module What lies between nodes and the archive: it may be away, slow, and do what nobody learns of. */
import { FleetError } from "../../lib/errors.ts";
import type { ArchivePort } from "../../services/raft/archive-port.ts";
import type { SimNode } from "./node.ts";
import type { World } from "./world.ts";

/** The archive as one node reaches it. */
export function archiveLink(world: World, node: SimNode): ArchivePort {
  const { archive, climate, defects, ledger, stats } = world;
  const ask = <T>(what: string, serve: () => T) =>
    world.traffic.request(node, what, climate.archiveLost, climate.archiveAnswerLost, unavailable, () => {
      if (!world.archiveUp) {
        stats.archiveAway += 1;
        throw unavailable();
      }
      return serve();
    });
  return {
    write: async (batch) => {
      const { epoch } = node.state;
      const { life } = node;
      const written = ask(`write up to ${batch.archivedIndex}`, () => {
        stats.archiveWrites += 1;
        if (epoch < ledger.reference.epoch) stats.racingWrites += 1;
        if (node.life !== life) stats.orphanWrites += 1;
        world.trace(() => `the archive takes ${batch.messages.length} messages up to ${batch.archivedIndex}`);
        archive.write(batch);
        ledger.archive.written(batch);
      });
      if (defects.archivedBeforeWritten) written.catch(() => undefined);
      else await written;
      return { kind: "written", conflicts: 0 };
    },
    watermark: () => ask("watermark", () => archive.watermark),
    session: (_, id) =>
      ask(`look up ${id}`, () => {
        stats.lookups += 1;
        const session = archive.session(id);
        const { watermark } = archive;
        if (session && defects.losesArchivedKeys) return { session: { ...session, keys: [] }, watermark };
        return { session, watermark };
      }),
    messages: ({ session, after, limit }) =>
      ask(`read ${session}`, () => ({ messages: archive.page(session, after, limit), bytes: 0, cut: false })),
    saveSnapshot: ({ index, data }) =>
      ask(`save snapshot ${index}`, () => {
        stats.snapshots += 1;
        archive.saveSnapshot(index, data);
      }),
    snapshots: () => ask("list snapshots", () => archive.snapshots()),
    snapshot: (_, index) =>
      ask(`load snapshot ${index}`, () => {
        const data = archive.snapshot(index);
        if (!data || !world.happens(climate.damaged)) return data;
        stats.damagedSnapshots += 1;
        const damaged = Uint8Array.from(data);
        damaged[world.random.below(damaged.length)]! ^= 1 << world.random.below(8);
        return damaged;
      }),
  };
}

function unavailable(): FleetError {
  return new FleetError("archive_unavailable", "The archive cannot be reached.");
}
