/**
 * @module `npm run screenshots`: the pictures of the documentation, in `docs/images/`, of three nodes that really run.
 * Mocha runs it, as it runs the tests: a page that does not come, or tells an error, is a failure.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import type { Visited } from "./browser.ts";
import { type Dashboard, dashboard } from "./dashboard.ts";
import { type Look, WIDE } from "./looks.ts";
import { type Story, tellStory } from "./story.ts";

const FOLDER = join(import.meta.dirname, "../../docs/images");
const DARK: Look = { theme: "dark", width: 1280 };
const NARROW: Look = { theme: "light", width: 390 };

interface Picture {
  readonly name: string;
  readonly path: (story: Story) => string;
  /** Pixels of the screen. */
  readonly height: number;
  readonly looks?: readonly Look[];
  /** Brings the page to what the picture is to show. */
  readonly show: (page: Page) => Promise<unknown>;
}

const conversation = ({ session }: Story) =>
  `/conversations?user_id=${session.user_id}&session_id=${session.id}`;
const experiment = ({ experiment }: Story) => `/analytics?experiment_id=${experiment}`;

const PICTURES: readonly Picture[] = [
  {
    name: "overview",
    path: () => "/overview",
    height: 660,
    looks: [WIDE, DARK],
    async show(page) {
      await page.getByText("and nothing needs attention").waitFor();
      await page.locator("[data-figure=Agents]").getByText("3 / 3", { exact: true }).waitFor();
      await page.getByRole("region", { name: "Last experiment" }).getByText("completed").waitFor();
    },
  },
  {
    name: "propagation",
    path: () => "/",
    height: 590,
    async show(page) {
      await page.getByRole("button", { name: "Send Message", exact: true }).click();
      const rows = page.getByRole("region", { name: "Acknowledgements by node" }).locator("tbody tr");
      for (const node of ["dev-node2", "dev-node3"])
        await rows.filter({ hasText: node }).getByText("acked", { exact: true }).waitFor();
    },
  },
  {
    name: "cluster",
    path: () => "/cluster",
    height: 1060,
    async show(page) {
      const views = page.getByRole("region", { name: "Who thinks what of whom", exact: true });
      await views.locator("tbody tr").filter({ hasText: "dev-node3" }).waitFor();
    },
  },
  {
    name: "messages",
    path: () => "/messages",
    height: 900,
    async show(page) {
      await page.locator("[data-sender=idle]").waitFor();
      await page.locator("[data-heat='1']").first().waitFor();
    },
  },
  {
    name: "node",
    path: () => "/node",
    height: 700,
    async show(page) {
      await page.locator("[data-agent=running]").waitFor();
      await page.getByRole("button", { name: "Test Local API" }).click();
      await page.getByText(/^ok, /).waitFor();
    },
  },
  {
    name: "analytics",
    path: experiment,
    height: 880,
    async show(page) {
      await page.getByText("completed").first().waitFor();
      await page.locator("main svg").nth(2).waitFor();
      await scrollTo(page.getByRole("heading", { name: "History" }));
    },
  },
  {
    name: "query-console",
    path: () => "/query-console",
    height: 900,
    async show(page) {
      await page
        .getByRole("textbox", { name: "SQL" })
        .fill(
          "SELECT node_id, region, COUNT(*) AS messages, MAX(sequence) AS newest\nFROM node_messages\nGROUP BY node_id\nORDER BY node_id",
        );
      await page.getByRole("button", { name: "Run", exact: true }).click();
      await page.getByText("dev-node3", { exact: true }).first().waitFor();
    },
  },
  {
    name: "groups",
    path: () => "/groups",
    height: 1180,
    looks: [WIDE, DARK],
    async show(page) {
      await page.getByRole("gridcell", { name: /^g100/ }).click();
      await page.locator('[data-group-detail] [data-log="log is well"]').waitFor();
    },
  },
  {
    name: "conversations",
    path: conversation,
    height: 800,
    looks: [WIDE, NARROW],
    async show(page) {
      await page.locator("[data-lamp=socket]").getByText("live", { exact: true }).waitFor();
      await page.getByText("unread", { exact: true }).waitFor();
      if (page.viewportSize()?.width === NARROW.width)
        await scrollTo(page.getByRole("heading", { name: "maya and travel-agent" }));
    },
  },
];

/** To the top of the screen, below the tabs. */
function scrollTo(heading: Locator): Promise<void> {
  return heading.evaluate((element) => {
    const below = document.querySelector("nav")?.getBoundingClientRect().bottom ?? 0;
    scrollBy(0, element.getBoundingClientRect().top - below - 24);
  });
}

describe("The pictures of the documentation", function () {
  this.timeout(120_000);
  let real: Dashboard;
  let story: Story;
  let open: Visited | null = null;

  before(async () => {
    mkdirSync(FOLDER, { recursive: true });
    real = await dashboard();
    story = await tellStory(real);
  });
  afterEach(async () => {
    const visited = open;
    open = null;
    await visited?.close();
  });

  for (const { name, path, height, looks = [WIDE], show } of PICTURES) {
    for (const look of looks) {
      const file = `${name}${look === WIDE ? "" : look === DARK ? "-dark" : "-narrow"}.png`;
      it(`docs/images/${file}`, async () => {
        open = await real.open(path(story), {
          look,
          prepare: (page) => page.setViewportSize({ width: look.width, height }),
        });
        await show(open.page);
        await open.page.locator("[data-lamp=agent]").getByText("running").waitFor();
        await open.page.locator("[data-toast]").first().waitFor({ state: "detached" });
        await open.page.screenshot({ path: join(FOLDER, file) });
      });
    }
  }
});
