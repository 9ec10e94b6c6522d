/** @module The Query Console: against real agents, and in the states that a test scripts. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "csv-parse/sync";
import type { Context } from "moleculer";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import type {
  ConsoleCell,
  ConsoleRunRecord,
  QueryResult,
  QueryRun,
} from "../../services/corrosion/contract.ts";
import { PRESETS } from "../../services/corrosion/query/presets.ts";
import { type Actions, ask } from "../helpers/console.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import type { Visit, Visited } from "./browser.ts";
import { type Dashboard, dashboard } from "./dashboard.ts";
import { LOOKS, lookText } from "./looks.ts";
import { openPages } from "./open-pages.ts";

type Page = Visited["page"];

const HOSTILE = `<img src=x onerror="document.title='owned'"></td><script>document.title='owned'</script>`;

const QUOTED = HOSTILE.replaceAll("'", "''");
/** One row with every kind of cell, and one with their opposites. */
const CELLS = `SELECT x'00ff' AS blob, NULL AS none, '' AS empty, 9007199254740993 AS great, 'NULL' AS text, 1.5 AS real,
  'first line' || char(10) || '${"long ".repeat(200)}' || char(10) || 'last line' AS long, '${QUOTED}' AS hostile
UNION ALL
SELECT zeroblob(200), 'NULL', ' ', -9007199254740993, '', -5, NULL, 'x'`;
const MANY = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999)
SELECT i, i || ', and "more"' AS text, '=1+1' AS formula, 'a' || char(13, 10) || '"b"' AS lines,
  9007199254740993 + i AS great, NULL AS none, x'00ff' AS bytes FROM n`;

function result(columns: readonly string[], rows: readonly (readonly ConsoleCell[])[]): QueryResult {
  return { run_id: "r", columns, rows, row_count: rows.length, truncated: false, elapsed_ms: 2.5 };
}

function record(n: number, more: Partial<ConsoleRunRecord> = {}): ConsoleRunRecord {
  return {
    id: n,
    at: new Date().toISOString(),
    preset: null,
    sql: `SELECT ${n}`,
    params: null,
    mode: "read",
    row_count: n,
    elapsed_ms: 1,
    error: null,
    ...more,
  };
}

describe("The Query Console", function () {
  this.timeout(120_000);
  const pages = openPages();

  async function scripted(actions: Actions, options: Omit<Visit, "url" | "path"> = {}): Promise<Visited> {
    const idle = { "corrosion.query.presets": () => PRESETS, "corrosion.query.history": () => [] };
    return pages.scripted("/query-console", { ...idle, ...actions }, options);
  }

  const editor = (page: Page) => page.getByRole("textbox", { name: "SQL" });
  const run = (page: Page) => page.getByRole("button", { name: "Run", exact: true });
  const ended = (page: Page, how: string) => page.locator(`[data-run=${how}]`).waitFor();
  const grid = (page: Page) => page.getByRole("region", { name: "Result", exact: true }).last();
  const saved = async (page: Page, button: string): Promise<string> => {
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: button }).click(),
    ]);
    await page.locator("[data-toast=good]").getByText(`Saved ${download.suggestedFilename()}`).waitFor();
    return readFileSync(await download.path(), "utf8");
  };
  const card = (page: Page, name: string) => page.getByRole("region", { name, exact: true }).first();
  const preset = (page: Page, description: string) =>
    card(page, "Presets").getByRole("button").filter({ hasText: description });

  describe("of a real node", () => {
    let real: Dashboard;
    before(async () => {
      real = await dashboard();
    });

    for (const look of LOOKS) {
      it(`runs a preset, tells how that went, is accessible and fits (${lookText(look)})`, async () => {
        const { page, picture } = await pages.at("/query-console", { look });
        await preset(page, "This agent's id and version").click();
        assert.match(await editor(page).inputValue(), /crsql_site_id/);
        await run(page).click();
        await ended(page, "done");
        await grid(page).getByRole("columnheader", { name: "missing_versions" }).waitFor();
        await page.locator("[data-toast=good]").getByText("1 row in").waitFor();
        await card(page, "History")
          .getByRole("button", { name: /cluster_info/ })
          .first()
          .waitFor();
        await assertAccessible(page);
        await assertFits(page);
        await picture("query-console");
      });
    }

    it("answers a preset without SQL by the agent's API", async () => {
      const { page } = await pages.at("/query-console");
      await preset(page, "What the agent's API says").click();
      assert.equal(await editor(page).inputValue(), "");
      await run(page).click();
      await grid(page).getByRole("cell", { name: "node_messages" }).waitFor();
    });

    for (const look of LOOKS) {
      it(`shows blobs, NULL, empty, long and hostile texts and great integers for what they are (${lookText(look)})`, async () => {
        const { page, picture } = await pages.at("/query-console", { look });
        await editor(page).fill(CELLS);
        await editor(page).press(look.width === 390 ? "Meta+Enter" : "Control+Enter");
        await ended(page, "done");
        await grid(page).locator("[data-cell=null]").first().waitFor();
        await grid(page).locator("[data-cell=empty]").first().waitFor();
        await grid(page).locator("[data-cell=blob]").getByText("x'00ff'").waitFor();
        await grid(page).getByText("9007199254740993", { exact: true }).waitFor();
        await grid(page).getByText("<img src=x onerror").first().waitFor();
        assert.equal(await page.locator("main img, main script").count(), 0);
        assert.equal(await page.title(), "Query Console · Fleetport");
        await assertAccessible(page);
        await assertFits(page);
        await picture("query-console-cells");

        await grid(page).getByRole("button", { name: "first line" }).press("Enter");
        const whole = page.getByRole("dialog", { name: "long, row 1" });
        await whole.getByText("last line").waitFor();
        await whole.getByText("1,021 characters").waitFor();
        await assertAccessible(page);
        await picture("query-console-cell");
        await page.keyboard.press("Escape");
        assert.equal(await whole.count(), 0);
      });
    }

    for (const look of [LOOKS[0]!, LOOKS[3]!]) {
      it(`is refused DDL with the reason, in the result and as a toast (${lookText(look)})`, async () => {
        const { page, picture } = await pages.at("/query-console", { look, expected: [/status of 400/] });
        await editor(page).fill("/* harmless */ DROP TABLE node_messages");
        await run(page).click();
        await ended(page, "failed");
        await card(page, "Result").getByRole("alert").getByText("DROP is blocked").waitFor();
        await page.locator("[data-toast=bad]").getByText("The query failed: DROP is blocked").waitFor();
        await assertAccessible(page);
        await assertFits(page);
        await picture("query-console-blocked");
      });
    }

    it("tells an error of SQL in SQLite's words, and runs the next statement", async () => {
      const { page, picture } = await pages.at("/query-console", { expected: [/status of 400/] });
      await editor(page).fill("SELECT one FROM nowhere");
      await run(page).click();
      await card(page, "Result").getByRole("alert").getByText("no such table: nowhere").waitFor();
      await card(page, "History").getByText("no such table: nowhere").waitFor();
      await picture("query-console-sql-error");
      await editor(page).fill("SELECT 1 AS one");
      await run(page).click();
      await grid(page).getByRole("columnheader", { name: "one" }).waitFor();
    });

    it("draws of thousands of rows those in sight, and exports all of them as a file that reads back the same", async () => {
      const { page, picture, shifts } = await pages.at("/query-console");
      await editor(page).fill(MANY);
      await page.getByRole("spinbutton", { name: "Limit (rows)" }).fill("5000");
      await run(page).click();
      await card(page, "Result").getByText("5,000 rows in").waitFor();
      assert.ok((await grid(page).getByRole("row").count()) < 60);
      const calm = await shifts();
      await grid(page).evaluate((box) => box.scrollTo(0, box.scrollHeight));
      await grid(page).getByText('4999, and "more"').waitFor();
      assert.ok((await shifts()) - calm < 0.01, "nothing jumps while the rows are scrolled");
      await picture("query-console-many");
      const rows: string[][] = parse(await saved(page, "Export as CSV"), { record_delimiter: "\r\n" });
      assert.deepEqual(rows[0], ["i", "text", "formula", "lines", "great", "none", "bytes"]);
      assert.equal(rows.length, 5001);
      rows.slice(1).forEach((row, i) => {
        const exact = String(9007199254740993n + BigInt(i));
        assert.deepEqual(row, [String(i), `${i}, and "more"`, "'=1+1", 'a\r\n"b"', exact, "", "x'00ff'"]);
      });
    });

    it("binds typed parameters, and names those that cannot be taken", async () => {
      const { page } = await pages.at("/query-console");
      await editor(page).fill("SELECT typeof(:a) AS type_of_a, :a AS a");
      const type = page.getByRole("combobox", { name: "Type of :a" });
      const value = page.getByRole("textbox", { name: ":a", exact: true });
      await type.selectOption("integer");
      await value.fill("1.5");
      await run(page).click();
      await page.getByRole("alert").getByText("Write a whole number.").waitFor();
      await value.fill("15");
      await run(page).click();
      await grid(page).getByRole("cell", { name: "integer" }).waitFor();
      await type.selectOption("null");
      await run(page).click();
      await grid(page).getByRole("cell", { name: "null", exact: true }).waitFor();
    });

    it("writes only after it was switched and confirmed, and another node has it then", async () => {
      const { page, picture } = await pages.at("/query-console");
      const pk = `console_${Date.now()}`;
      await editor(page).fill(
        `INSERT INTO node_messages (pk, node_id, message) VALUES ('${pk}', 'console', 'hello')`,
      );
      await page.getByRole("switch", { name: "Write mode" }).click();
      await run(page).click();
      const question = page.getByRole("dialog");
      await question.getByText(pk).waitFor();
      await picture("query-console-write");
      await question.getByRole("button", { name: "Cancel" }).click();
      assert.equal(await page.locator("[data-run=idle]").count(), 1);
      await run(page).click();
      await question.getByRole("button", { name: "Run and write" }).click();
      await page.locator("[data-toast=good]").getByText("1 row affected").waitFor();
      const query = { sql: "SELECT 1 FROM node_messages WHERE pk = ?", params: [pk] };
      await until("another node has it", async () => {
        const { body } = await ask({ url: real.url(2) }, "POST /api/console/run", query);
        return body.row_count === 1;
      });
      await editor(page).fill(`DELETE FROM node_messages WHERE pk = '${pk}'`);
      await run(page).click();
      await question.getByRole("button", { name: "Run and write" }).click();
      await ended(page, "done");
    });
  });

  it("gives rows as files without running the query again", async () => {
    let runs = 0;
    const { page } = await scripted({
      "corrosion.query.run": () => {
        runs += 1;
        return result(
          ["=name", "value"],
          [
            ['a,"b"\r\nc', null],
            ["-1+1", { blob: "0a" }],
            ["x", -5],
          ],
        );
      },
    });
    await editor(page).fill("SELECT 1");
    await run(page).click();
    await ended(page, "done");
    const rows: string[][] = parse(await saved(page, "Export as CSV"), { record_delimiter: "\r\n" });
    assert.deepEqual(rows, [
      ["'=name", "value"],
      ['a,"b"\r\nc', ""],
      ["'-1+1", "x'0a'"],
      ["x", "-5"],
    ]);
    const json = JSON.parse(await saved(page, "Export as JSON"));
    assert.deepEqual(json.rows[1], ["-1+1", { blob: "0a" }]);
    assert.equal(runs, 1);
  });

  it("cancels the run under way, by the id that it was given", async () => {
    const { promise, reject } = Promise.withResolvers<never>();
    // Its rejection is for the run alone.
    promise.catch(() => undefined);
    let given: string | undefined;
    let cancelled: string | undefined;
    const { page, picture } = await scripted(
      {
        "corrosion.query.run": (ctx: Context) => {
          given = (ctx.params as QueryRun).run_id;
          return promise;
        },
        "corrosion.query.cancel": (ctx: Context) => {
          cancelled = (ctx.params as { run_id: string }).run_id;
          reject(new CorrosionError("cancelled", "The query was cancelled."));
          return { run_id: cancelled };
        },
      },
      { expected: [/status of 409/] },
    );
    const cancel = page.getByRole("button", { name: "Cancel", exact: true });
    assert.ok(await cancel.isDisabled());
    await editor(page).fill("SELECT 1");
    await run(page).click();
    await ended(page, "running");
    await picture("query-console-running");
    await cancel.click();
    await ended(page, "cancelled");
    await page.locator("[data-toast=info]").getByText("The query was cancelled.").waitFor();
    assert.match(given ?? "", /^[0-9a-f]{32}$/);
    assert.equal(cancelled, given);
  });

  it("says that there are more rows, and draws only those in sight", async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => [i, `row ${i}`] as const);
    const { page } = await scripted({
      "corrosion.query.run": () => ({ ...result(["n", "text"], rows), truncated: true }),
    });
    await editor(page).fill("SELECT 1");
    await page.getByRole("spinbutton", { name: "Limit (rows)" }).fill("5000");
    await run(page).click();
    await card(page, "Result").getByText("truncated").waitFor();
    await page.getByText("these are the first 5,000").waitFor();
    assert.ok((await grid(page).getByRole("row").count()) < 60);
    await grid(page).evaluate((box) => box.scrollTo(0, box.scrollHeight));
    await grid(page).getByText("row 4999").waitFor();
  });

  it("refuses a limit that is none, beside its field, and runs nothing", async () => {
    let runs = 0;
    const { page } = await scripted({
      "corrosion.query.run": () => {
        runs += 1;
        return result([], []);
      },
    });
    await editor(page).fill("SELECT 1");
    await page.getByRole("spinbutton", { name: "Limit (rows)" }).fill("5001");
    await run(page).click();
    await page.getByRole("alert").getByText("from 1 to 5,000").waitFor();
    assert.equal(runs, 0);
  });

  it("shows the five newest runs, all of them on demand, and brings one back by a click", async () => {
    const runs = Array.from({ length: 8 }, (_, i) => record(8 - i));
    const write = record(9, { sql: "DELETE FROM t WHERE pk = :pk", params: { ":pk": "x" }, mode: "write" });
    const { page } = await scripted({ "corrosion.query.history": () => [write, ...runs] });
    const rows = card(page, "History").getByRole("listitem");
    await rows.first().waitFor();
    assert.equal(await rows.count(), 5);
    await page.getByRole("button", { name: "Show all (9)" }).click();
    assert.equal(await rows.count(), 9);
    await rows.first().getByRole("button").click();
    assert.equal(await editor(page).inputValue(), "DELETE FROM t WHERE pk = :pk");
    assert.equal(await page.getByRole("textbox", { name: ":pk", exact: true }).inputValue(), "x");
    assert.equal(await page.getByRole("switch", { name: "Write mode" }).getAttribute("aria-checked"), "true");
    await rows.last().getByRole("button").click();
    assert.equal(await editor(page).inputValue(), "SELECT 1");
    assert.equal(
      await page.getByRole("switch", { name: "Write mode" }).getAttribute("aria-checked"),
      "false",
    );
  });

  it("copies the statement", async () => {
    const { page } = await scripted({});
    await editor(page).fill("SELECT 42");
    await page.getByRole("button", { name: "Copy SQL" }).click();
    await page.locator("[data-toast=good]").getByText("Copied the SQL.").waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "SELECT 42");
  });

  it("indents by Tab, takes that back by Ctrl+Z, and lets Tab leave after Escape", async () => {
    const { page } = await scripted({});
    await editor(page).fill("SELECT\n1");
    await editor(page).press("Control+a");
    await editor(page).press("Tab");
    assert.equal(await editor(page).inputValue(), "  SELECT\n  1");
    await editor(page).press("Shift+Tab");
    assert.equal(await editor(page).inputValue(), "SELECT\n1");
    await editor(page).press("Control+z");
    assert.equal(await editor(page).inputValue(), "  SELECT\n  1");
    await editor(page).press("Escape");
    await page.keyboard.press("Tab");
    assert.equal(await editor(page).evaluate((area) => area === document.activeElement), false);
  });

  it("shows hostile names of columns, cells, errors and statements as the text that they are", async () => {
    const { page } = await scripted({
      "corrosion.query.run": () => result([HOSTILE], [[HOSTILE]]),
      "corrosion.query.history": () => [record(1, { sql: HOSTILE, error: HOSTILE })],
    });
    await editor(page).fill("SELECT 1");
    await run(page).click();
    await page.getByRole("columnheader", { name: HOSTILE }).waitFor();
    await card(page, "History").getByText(HOSTILE).first().waitFor();
    assert.equal(await page.locator("main img, main script").count(), 0);
    assert.equal(await page.title(), "Query Console · Fleetport");
  });

  it("asks before it replaces a statement that was written and never run", async () => {
    let ran = false;
    const { page, picture } = await scripted({
      "corrosion.query.history": () => (ran ? [record(2), record(1)] : [record(1)]),
      "corrosion.query.run": () => {
        ran = true;
        return result(["n"], [[1]]);
      },
    });
    const dialog = page.getByRole("dialog");
    await editor(page).fill("SELECT 'an hour of work'");
    await preset(page, "This agent's id and version").click();
    await picture("query-console-replace");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    assert.equal(await editor(page).inputValue(), "SELECT 'an hour of work'");
    await card(page, "History")
      .getByRole("button", { name: /SELECT 1/ })
      .first()
      .click();
    await dialog.getByRole("button", { name: "Replace statement" }).click();
    await until("it is replaced", async () => (await editor(page).inputValue()) === "SELECT 1");
    await editor(page).fill("SELECT 2");
    await run(page).click();
    await ended(page, "done");
    await card(page, "History")
      .getByRole("button", { name: /SELECT 2/ })
      .first()
      .waitFor();
    await preset(page, "This agent's id and version").click();
    await until("what was run gives way", async () =>
      (await editor(page).inputValue()).includes("crsql_site_id"),
    );
    assert.equal(await dialog.count(), 0);
  });

  it("runs statements although its presets and its history cannot be had, and gets over that by Retry", async () => {
    let broken = true;
    const failing =
      <T>(answer: T) =>
      () => {
        if (broken) throw new CorrosionError("store_unavailable", "the analytics file is locked");
        return answer;
      };
    const { page, picture } = await scripted(
      {
        "corrosion.query.presets": failing(PRESETS),
        "corrosion.query.history": failing([record(1)]),
        "corrosion.query.run": () => result(["a"], []),
      },
      { expected: [/status of 503/] },
    );
    await card(page, "History").getByText("The analytics file is locked.").waitFor();
    await editor(page).fill("SELECT 1");
    await run(page).click();
    await page.getByText("No row answers this query.").waitFor();
    await picture("query-console-failing");
    broken = false;
    await card(page, "Presets").getByRole("button", { name: "Retry" }).click();
    await preset(page, "What the agent's API says").waitFor();
    await card(page, "History").getByRole("button", { name: "Retry" }).click();
    await card(page, "History").getByText("SELECT 1").waitFor();
  });
});
