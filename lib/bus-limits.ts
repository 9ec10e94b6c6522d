/** @module What one message of the bus can carry. */

/** Bytes that one call or answer may hold, with room for its envelope: NATS refuses messages above 1 MiB. */
export const MAX_CALL_BYTES = 512 * 1024;
