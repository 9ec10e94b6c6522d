/** @module What the statements of a client may not do on the writing connection, told when they are prepared. */
import { constants, type DatabaseSync } from "node:sqlite";

/** Pragmas that only read, as the table-valued functions of schema queries use them. */
const READ_PRAGMAS =
  /^(table_info|table_xinfo|table_list|index_list|index_info|index_xinfo|foreign_key_list)$/i;
const BOOKKEEPING = /^(crsql_|__corro)|__crsql_(clock|pks)$/i;
const OWN_TRIGGER = /__crsql_[iud]trig$/i;
const OWN_FUNCTION = /^crsql_track_/i;

/** Whether a table is one of the agent's own, whose names nobody else may take. */
export function isBookkeeping(table: string): boolean {
  return BOOKKEEPING.test(table);
}

type Argument = string | null;

/** Refuses while `forClient` is set; `refusal` then says why, where SQLite only says that it is not authorized. */
export class Guard {
  forClient = false;
  refusal: string | null = null;
  readonly isReplicated: (table: string) => boolean;

  constructor(db: DatabaseSync, isReplicated: (table: string) => boolean) {
    this.isReplicated = isReplicated;
    db.setAuthorizer((action, first, second, _database, trigger) => {
      if (!this.forClient) return constants.SQLITE_OK;
      const refusal = this.#refusal(action, first, second, trigger);
      if (refusal === null) return constants.SQLITE_OK;
      this.refusal ??= refusal;
      return constants.SQLITE_DENY;
    });
  }

  #refusal(action: number, first: Argument, second: Argument, trigger: Argument): string | null {
    switch (action) {
      case constants.SQLITE_TRANSACTION:
      case constants.SQLITE_SAVEPOINT:
        return "transaction control is the agent's own: the statements of a request are one transaction already";
      case constants.SQLITE_ATTACH:
      case constants.SQLITE_DETACH:
        return "ATTACH and DETACH are not allowed on an agent's database";
      case constants.SQLITE_PRAGMA:
        if (READ_PRAGMAS.test(first ?? "")) return null;
        return `PRAGMA ${first} is not allowed in a transaction: the agent sets up its connection itself`;
      case constants.SQLITE_INSERT:
      case constants.SQLITE_UPDATE:
      case constants.SQLITE_DELETE:
        return this.#ofBookkeeping(first);
      case constants.SQLITE_FUNCTION:
        if (trigger !== null || !OWN_FUNCTION.test(second ?? "")) return null;
        return `${second} is for the agent's own triggers`;
      case constants.SQLITE_CREATE_TEMP_TABLE:
      case constants.SQLITE_CREATE_TEMP_VIEW:
      case constants.SQLITE_CREATE_TEMP_TRIGGER:
      case constants.SQLITE_CREATE_TEMP_INDEX:
        return "temporary tables, views and triggers are not allowed: connections are shared by all clients";
      case constants.SQLITE_CREATE_TRIGGER:
        return this.#ofReplicated(second, "a trigger on it would act on merged changes too");
      case constants.SQLITE_DROP_TRIGGER:
        if (!OWN_TRIGGER.test(first ?? "")) return null;
        return `${first} keeps track of what replicates and cannot be dropped`;
      case constants.SQLITE_CREATE_TABLE:
      case constants.SQLITE_CREATE_VIEW:
      case constants.SQLITE_CREATE_VTABLE:
      case constants.SQLITE_DROP_VIEW:
        return this.#ofBookkeeping(first);
      case constants.SQLITE_CREATE_INDEX:
      case constants.SQLITE_DROP_INDEX:
        return this.#ofBookkeeping(second);
      case constants.SQLITE_DROP_TABLE:
        return this.#ofReplicated(first, "its shape comes from the schema files, and nothing drops it");
      case constants.SQLITE_ALTER_TABLE:
        return this.#ofReplicated(second, "its shape comes from the schema files; change those and reload");
      default:
        return null;
    }
  }

  #ofBookkeeping(table: Argument): string | null {
    if (!isBookkeeping(table ?? "")) return null;
    return `${table} is the agent's own bookkeeping, and read-only`;
  }

  #ofReplicated(table: Argument, why: string): string | null {
    if (this.isReplicated(table ?? "")) return `table ${table} is replicated: ${why}`;
    return this.#ofBookkeeping(table);
  }
}
