/** @module CSV as RFC 4180 has it: commas, CRLF, a header, as many fields in each row; safe to open as a sheet. */

export type CsvValue = string | number | boolean | null;

/** A sheet would take such a text for a formula. */
const FORMULA = /^[=+\-@]/;
const QUOTED = /[",\r\n]/;

/** The field of a value: null is empty, a text that a sheet would compute gets a `'` before it. */
export function csvField(value: CsvValue): string {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  // White space at the ends is part of the text, and some readers strip it where it is not quoted.
  return QUOTED.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The whole file. Throws when a row has not as many values as the header. */
export function csvFile(header: readonly string[], rows: Iterable<readonly CsvValue[]>): string {
  const lines = [csvLine(header)];
  for (const row of rows) {
    if (row.length !== header.length) {
      throw new Error(`a row of CSV has ${row.length} fields, and the header ${header.length}`);
    }
    lines.push(csvLine(row));
  }
  return lines.join("");
}

/** A line with its end. */
export function csvLine(values: readonly CsvValue[]): string {
  return `${values.map(csvField).join(",")}\r\n`;
}
