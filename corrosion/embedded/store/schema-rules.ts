/** @module What a schema may say, and how it may change (contract corrosion, section 9). */
import { SchemaRefused } from "./contract.ts";
import { isBookkeeping } from "./guard.ts";
import type { SchemaColumn, SchemaTable } from "./schema-files.ts";

/** Throws `SchemaRefused` when the table cannot replicate. */
export function checkTable({ name, columns, unique, foreignKey, collated }: SchemaTable): void {
  if (isBookkeeping(name)) throw new SchemaRefused(`table '${name}' has a name that is the agent's own`);
  for (const column of columns) {
    if (column.key === 0 && column.notNull && !column.hasDefault) {
      throw new SchemaRefused(
        `not nullable column '${column.name}' on table '${name}' needs a default value for forward schema compatibility`,
      );
    }
    if (foreignKey !== null && same(foreignKey, column.name)) {
      throw new SchemaRefused(`foreign keys are not supported (table: '${name}', column: '${column.name}')`);
    }
  }
  if (unique !== null) throw new SchemaRefused(`unique indexes are not supported: ${unique}`);
  const keys = columns.filter(({ key }) => key > 0);
  if (keys.length === 0 || keys.some(({ notNull }) => !notNull)) {
    throw new SchemaRefused(
      `Table ${name} has no primary key or primary key is nullable. CRRs must have a non nullable primary key`,
    );
  }
  if (collated !== null) {
    throw new SchemaRefused(
      `key column '${collated.column}' of table '${name}' has the collation ${collated.collation}: keys that are equal here would be two rows to other agents`,
    );
  }
}

/** The columns that a table of the schema gets. Throws `SchemaRefused` for any other change of its columns. */
export function newColumns(stored: SchemaTable, fresh: SchemaTable): SchemaColumn[] {
  const of = (table: SchemaTable, name: string) => table.columns.find((column) => same(column.name, name));
  const where = `(table: '${fresh.name}'`;
  for (const { name } of stored.columns) {
    if (!of(fresh, name)) {
      throw new SchemaRefused(
        `won't remove column without the destructive flag set ${where}, column: '${name}')`,
      );
    }
  }
  const added = fresh.columns.filter(({ name }) => !of(stored, name));
  const addedKeys = added.filter(({ key }) => key > 0);
  if (addedKeys.length > 0) {
    throw new SchemaRefused(`can't add a primary key ${where}, columns: '${names(addedKeys)}')`);
  }
  if (stored.columns.some(({ name, key }) => of(fresh, name)?.key !== key)) {
    throw new SchemaRefused(`can't modify primary keys ${where})`);
  }
  const changed = stored.columns.filter(({ name, text }) => of(fresh, name)?.text !== text);
  if (changed.length > 0) {
    throw new SchemaRefused(
      `won't change column without the destructive flag set ${where}, column: '${names(changed)}')`,
    );
  }
  return added;
}

/** Whether a plain table can become the one of the schema. Throws `SchemaRefused` when it cannot. */
export function checkAdoption(existing: SchemaTable, fresh: SchemaTable): void {
  const [got, expected] = [existing, fresh].map(({ columns }) => columns.filter(({ key }) => key > 0));
  if (names(byKey(got ?? [])) !== names(byKey(expected ?? []))) {
    throw new SchemaRefused(
      `existing schema for table '${fresh.name}' primary keys mismatched, expected: ${names(byKey(expected ?? []))}, got: ${names(byKey(got ?? []))}`,
    );
  }
  const [has, wants] = [existing, fresh].map(({ columns }) =>
    columns.map(({ name, text }) => `${name} ${text}`.trim()).join(", "),
  );
  if (has !== wants) {
    throw new SchemaRefused(
      `existing schema for table '${fresh.name}' columns mismatched, expected: ${wants}, got: ${has}`,
    );
  }
}

const byKey = (columns: readonly SchemaColumn[]) => columns.toSorted((a, b) => a.key - b.key);
const names = (columns: readonly SchemaColumn[]) => columns.map(({ name }) => name).join(",");
const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
