/** @module Part `replay`: how fast one client reads a long session from its beginning, over a socket and over HTTP. */
import { readAll } from "../../test/helpers/load.ts";
import { createSessions, SocketConnection, socketClient } from "../clients.ts";
import { startDistributed, startEmbedded } from "../fleet.ts";
import { sendAll } from "../measure.ts";
import { type Report, rate } from "../report.ts";

const SESSION = "long";

export async function replay(report: Report): Promise<void> {
  const count = report.quick ? 5000 : 50_000;
  const rows: string[][] = [];
  for (const startFleet of [() => startDistributed({ env: report.fleetEnv }), () => startEmbedded()]) {
    const fleet = await startFleet();
    try {
      await createSessions(fleet.urls, [SESSION]);
      const writer = await socketClient(fleet.urls.slice(0, 1), [SESSION]);
      await sendAll(writer.send, 512, count);
      writer.close();
      const socket = await overSocket(fleet.urls[1]!, count);
      const began = performance.now();
      await readAll(fleet.urls[1]!, SESSION);
      const http = count / ((performance.now() - began) / 1000);
      rows.push([fleet.mode, rate(socket), rate(http)]);
    } finally {
      await fleet.stop();
    }
  }
  report.table(`Replay of a session of ${count} messages, messages a second`, ["", "socket", "HTTP"], rows);
}

/** Messages a second, from the join to the last one. */
async function overSocket(url: string, count: number): Promise<number> {
  const connection = await SocketConnection.open(url);
  const done = Promise.withResolvers<void>();
  const last = `"seq":${count},`;
  // The join's reply brings the first page; all that follow are pushed one by one.
  connection.onPush = (frame) => {
    if (frame.includes(last)) done.resolve();
  };
  const began = performance.now();
  await connection.join(SESSION, { last_seq: 0 });
  await done.promise;
  const seconds = (performance.now() - began) / 1000;
  connection.close();
  return count / seconds;
}
