/** @module The status page: asks the node every two seconds what the fleet looks like, and shows it. */

const REFRESH_MS = 2000;
const TIMEOUT_MS = 5000;
/** Colours in status.css. */
const PALETTE = 9;

const element = (id) => document.getElementById(id);

/** The last status that came, and when. */
let shown = null;
let shownAt = 0;

async function refresh() {
  const [status, readiness] = await Promise.allSettled([getStatus(), getReadiness()]);
  showHealth(readiness);
  if (status.status === "fulfilled") {
    shown = status.value;
    shownAt = Date.now();
    showFleet(shown);
    setState("live", warningsOf(shown));
    return;
  }
  const why = status.reason instanceof Error ? status.reason.message : String(status.reason);
  if (shown === null) {
    setState("error", [
      { tone: "bad", text: `The node does not show the fleet yet: ${why}. Trying again every two seconds.` },
    ]);
    element("nodes").replaceChildren(emptyRow("Not known yet."));
  } else {
    const time = new Date(shownAt).toLocaleTimeString();
    setState("stale", [
      { tone: "bad", text: `This is the state of ${time}: ${why}. Trying again every two seconds.` },
    ]);
  }
}

async function getStatus() {
  const response = await ask("/api/fleet/status");
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ?? `status ${response.status}`);
  return body;
}

async function getReadiness() {
  const response = await ask("/health/ready");
  const body = await response.json();
  // Any other shape is a node that could not tell.
  if (typeof body.status !== "string") throw new Error(`status ${response.status}`);
  return body;
}

async function ask(path) {
  try {
    return await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new Error(
      error.name === "TimeoutError" ? "the node did not answer in time" : "the node cannot be reached",
    );
  }
}

/** What an operator must act on, worst first. */
function warningsOf(fleet) {
  const leaderless = fleet.leaders.filter((leader) => leader === null).length;
  const gone = fleet.nodes.filter((node) => !node.available).map((node) => node.id);
  return [
    ...(leaderless > 0
      ? [
          {
            tone: "bad",
            text: `Groups without a leader: ${leaderless} of ${fleet.groups}. Their sessions take no messages now.`,
          },
        ]
      : []),
    ...(fleet.engine.connected ? [] : [{ tone: "bad", text: "The log engine cannot be reached." }]),
    ...(gone.length > 0 ? [{ tone: "warn", text: `Not answering: ${gone.join(", ")}.` }] : []),
    ...fleet.engine.warnings.map((text) => ({ tone: "warn", text })),
  ];
}

function setState(state, notices) {
  document.body.dataset.state = state;
  const list = element("notices");
  const text = JSON.stringify(notices);
  // Screen readers speak an alert whenever it is written, so it is written only when it is another.
  if (list.dataset.shown !== text) {
    list.dataset.shown = text;
    list.replaceChildren(
      ...notices.map((notice) => make("p", { class: "notice", "data-tone": notice.tone }, notice.text)),
    );
  }
}

function showHealth(readiness) {
  const pill = element("health");
  const body = readiness.status === "fulfilled" ? readiness.value : { status: "not answering" };
  const tones = { ok: "good", starting: "warn", draining: "warn" };
  pill.dataset.tone = tones[body.status] ?? "bad";
  const reason = body.reason ? `: ${body.reason.replaceAll("_", " ")}` : "";
  pill.textContent = body.status === "ok" ? "ready" : `${body.status}${reason}`;
}

function showFleet(fleet) {
  const colours = new Map([...fleet.nodes.map((node) => node.id)].sort().map((id, at) => [id, at % PALETTE]));
  const led = fleet.leaders.filter((leader) => leader !== null).length;
  const alive = fleet.nodes.filter((node) => node.available).length;

  element("mode").hidden = false;
  tell("mode", fleet.mode);
  tell("led", `${led} / ${fleet.groups}`);
  tell("led-note", led === fleet.groups ? "every session takes messages" : "the others are recovering");
  tell("alive", `${alive} / ${fleet.nodes.length}`);
  tell("alive-note", `seen from ${fleet.node_id}`);
  tell("sessions", fleet.resident_sessions.toLocaleString());
  tell("engine", fleet.engine.kind);
  tell("engine-note", `${fleet.engine.connected ? "connected" : "not connected"} · ${fleet.engine.detail}`);

  showNodes(fleet, colours);
  showMap(fleet, colours);
}

function showNodes(fleet, colours) {
  const rows = [...fleet.nodes]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((node) => {
      const state = !node.available ? "not answering" : node.draining ? "draining" : "available";
      const tone = !node.available ? "bad" : node.draining ? "warn" : "good";
      const name = node.url ? make("a", { href: node.url }, node.id) : document.createTextNode(node.id);
      return make(
        "tr",
        {},
        make("td", {}, make("span", { class: "swatch", "data-node": colours.get(node.id) }), name),
        make("td", {}, make("span", { class: "pill", "data-tone": tone }, state)),
        make("td", { class: "number" }, node.leads.toLocaleString()),
        make("td", { class: "number" }, node.follows.toLocaleString()),
      );
    });
  element("nodes").replaceChildren(...(rows.length > 0 ? rows : [emptyRow("No node is known yet.")]));
}

function emptyRow(text) {
  return make("tr", {}, make("td", { colspan: 4, class: "quiet" }, text));
}

/** Changes the squares in place, so that the one under the pointer stays the same. */
function showMap(fleet, colours) {
  const map = element("map");
  map.dataset.columns = fleet.groups <= 256 ? 16 : fleet.groups <= 1024 ? 32 : 64;
  if (map.children.length !== fleet.groups) {
    map.replaceChildren(
      ...fleet.leaders.map((_, group) => make("span", { class: "group", "data-group": group })),
    );
  }
  fleet.leaders.forEach((leader, group) => {
    const square = map.children[group];
    const node = String(leader === null ? "none" : (colours.get(leader) ?? "none"));
    if (square.dataset.node !== node) square.dataset.node = node;
  });
  const led = fleet.leaders.filter((leader) => leader !== null).length;
  map.setAttribute("aria-label", `Map of ${fleet.groups} groups, ${led} of them with a leader`);
}

function describe(group) {
  const leader = shown.leaders[group];
  const name = `g${String(group).padStart(3, "0")}`;
  if (leader === null) return `${name}: no leader`;
  return `${name}: led by ${leader}, log index ${shown.applied[group] ?? "not known"}`;
}

function tell(id, text) {
  const target = element(id);
  if (target.textContent !== text) target.textContent = text;
}

/** An element; text never becomes markup. */
function make(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

element("map").addEventListener("pointerover", (event) => {
  const group = event.target.dataset.group;
  if (shown && group !== undefined) tell("readout", describe(Number(group)));
});

setInterval(() => {
  if (shownAt === 0) return;
  const seconds = Math.round((Date.now() - shownAt) / 1000);
  tell("updated", seconds < 2 ? "updated just now" : `updated ${seconds} s ago`);
}, 500);

async function keepFresh() {
  // A page that nobody looks at asks nothing.
  if (!document.hidden) await refresh();
  setTimeout(keepFresh, REFRESH_MS);
}
keepFresh();
