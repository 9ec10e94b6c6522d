/** @module Actor ids of Corrosion agents: three spellings of one id. */

const HEX = /^[0-9a-f]{32}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const BYTES = 16;

/**
 * The id as a hyphenated lower-case UUID. Takes 32 hex digits (transactions), a hyphenated UUID (admin socket), and
 * 16 bytes (SQL), these also as a list of numbers; null when the value is none of them.
 */
export function actorIdOf(value: unknown): string | null {
  if (value instanceof Uint8Array)
    return value.length === BYTES ? hyphenated(Buffer.from(value).toString("hex")) : null;
  if (Array.isArray(value)) return value.every(isByte) ? actorIdOf(Uint8Array.from(value)) : null;
  if (typeof value !== "string") return null;
  const text = value.toLowerCase();
  if (UUID.test(text)) return text;
  return HEX.test(text) ? hyphenated(text) : null;
}

function isByte(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 255;
}

/** The spelling with hyphens of 32 hex digits. */
export function hyphenated(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
