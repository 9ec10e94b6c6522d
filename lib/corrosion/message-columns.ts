/** @module The columns of the table `node_messages`, in the order in which all that write or read it name them. */

export const MESSAGE_COLUMNS = [
  "pk",
  "node_id",
  "message",
  "sequence",
  "timestamp",
  "originating_endpoint",
  "region",
] as const;
