/** @module `GET /api/cluster/corrosion` over an agent that is away, or on its way out: the agent's trouble, not the caller's. */
import assert from "node:assert/strict";
import type { AgentStatus } from "../../services/corrosion/contract.ts";
import membersService from "../../services/corrosion/members.service.ts";
import { AGENT, actors, ask } from "../helpers/console.ts";
import { startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Exchange, ScriptedAgent } from "../helpers/scripted-agent.ts";

describe("The agent's own tables over HTTP", () => {
  let agent: ScriptedAgent;
  let gate: TestGateway;
  before(async () => {
    agent = await ScriptedAgent.start();
    const status: AgentStatus = {
      ...AGENT,
      kind: "external",
      managed: false,
      config_path: null,
      api_url: agent.url,
    };
    const services = [
      membersService,
      ...actors({ "corrosion.agent.status": () => status, "corrosion.identity.map": () => ({}) }),
    ];
    gate = await startGateway({ services, nodeId: "n" });
  });
  after(async () => {
    await gate?.stop();
    await agent?.stop();
  });

  async function unavailable(): Promise<string> {
    const { body, headers, status } = await ask(gate, "GET /api/cluster/corrosion");
    assert.deepEqual(
      [status, body.status, body.code],
      [503, "error", "agent_unavailable"],
      String(body.error),
    );
    assert.match(headers.get("retry-after") ?? "", /^\d+$/);
    return String(body.error);
  }

  for (const [how, answer, sentence] of [
    [
      "refuses the statement",
      (it: Exchange) => it.reply(400, { error: "no such table: __corro_members" }),
      /no such table/,
    ],
    [
      "breaks the statement off",
      (it: Exchange) =>
        it
          .head(200)
          .lines({ columns: ["a"] }, { error: "database is closed" })
          .end(),
      /database is closed/,
    ],
    [
      "cuts the answer",
      (it: Exchange) =>
        it
          .head(200)
          .lines({ columns: ["a"] })
          .cut(),
      /./,
    ],
    ["is overloaded", (it: Exchange) => it.reply(503, "later"), /./],
  ] as const) {
    it(`answer 503 agent_unavailable when the agent ${how}`, async () => {
      agent.onRequest = answer;
      assert.match(await unavailable(), sentence);
    });
  }

  it("answer 503 agent_unavailable when nothing listens where the agent was", async () => {
    await agent.stop();
    await unavailable();
  });
});
