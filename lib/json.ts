/** @module JSON values as types. */

/** Any JSON object. */
export type JsonObject = { readonly [key: string]: unknown };
