/** @module SeaHash with its default seeds, the hash by which a subscription's text is known. */

const MASK = (1n << 64n) - 1n;
const PRIME = 0x6eed0e9da4d94a4fn;
const SEEDS = [0x16f11fe89b0d677cn, 0xb480a793d8e6c86cn, 0x6fe2e5aaf078ebc9n, 0x14f994a4c5259381n] as const;

/** The hash of a text's UTF-8 bytes, as 16 hex digits, big-endian. */
export function seahash(text: string): string {
  const bytes = Buffer.from(text, "utf8");
  const state: bigint[] = [...SEEDS];
  for (let at = 0, lane = 0; at < bytes.length; at += 8, lane = (lane + 1) % 4) {
    state[lane] = diffuse(state[lane]! ^ word(bytes.subarray(at, at + 8)));
  }
  const [a, b, c, d] = state as [bigint, bigint, bigint, bigint];
  return diffuse(a ^ b ^ c ^ d ^ BigInt(bytes.length))
    .toString(16)
    .padStart(16, "0");
}

function diffuse(x: bigint): bigint {
  const first = (x * PRIME) & MASK;
  const folded = first ^ ((first >> 32n) >> (first >> 60n));
  return (folded * PRIME) & MASK;
}

/** Up to eight bytes, little-endian. */
function word(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}
