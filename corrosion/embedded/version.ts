/** @module What this program calls itself wherever a version is asked. */

export const AGENT_NAME = "embedded development agent";

/** The version of Corrosion whose interfaces it follows. */
export const FOLLOWS = "1.0.0";
