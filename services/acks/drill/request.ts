/** @module What a drill sends over the bus, and how it is read. */
import type { DrillRequest } from "../contract.ts";

/** Of what a drill says when its sender gives it no content. */
export const DRILL_CONTENT = "Acknowledgement drill";
const MAX_TEXT_BYTES = 16 * 1024;
const MAX_ID = 512;

/** Never the key of a message: those begin with the node's id. */
export function drillId(nodeId: string, sequence: number): string {
  return `pubsub_${nodeId}_${sequence}`;
}

/** The request, if it is one; null for anything else: other programs may use the bus too. */
export function readDrill(payload: unknown): DrillRequest | null {
  if (typeof payload !== "object" || payload === null) return null;
  const fields = payload as Readonly<Record<string, unknown>>;
  const text = (name: keyof DrillRequest, max: number) => {
    const value = fields[name];
    return typeof value === "string" && value.length <= max ? value : null;
  };
  const requestId = text("request_id", MAX_ID);
  const nodeId = text("originating_node_id", MAX_ID);
  const endpoint = text("originating_endpoint", MAX_ID);
  const timestamp = text("timestamp", MAX_ID);
  const message = text("message", MAX_TEXT_BYTES);
  const region = text("region", MAX_ID);
  if (!requestId || !nodeId || !endpoint) return null;
  if (timestamp === null || message === null || region === null) return null;
  return {
    request_id: requestId,
    originating_node_id: nodeId,
    originating_endpoint: endpoint,
    timestamp,
    message,
    region,
  };
}
