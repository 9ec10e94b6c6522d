/** @module Node: this node's process, its agent, and the configuration of the agents here and elsewhere. */
import type { NodeConfiguration, NodeFacts } from "../../../services/corrosion/contract.ts";
import { PageHeading } from "../../components/page-heading.tsx";
import { dataOf } from "../../data/resource.ts";
import { useResource } from "../../data/use-resource.ts";
import { AgentCard } from "./agent-card.tsx";
import { ApiTest } from "./api-test.tsx";
import { ClusterCard } from "./cluster-card.tsx";
import { DatabaseCard } from "./database-card.tsx";
import { EnvironmentCard } from "./environment-card.tsx";
import { FilesCard } from "./files-card.tsx";
import { LocalCard } from "./local-card.tsx";
import { RuntimeCard } from "./runtime-card.tsx";
import { ServicesCard } from "./services-card.tsx";
import { TomlCard } from "./toml-card.tsx";
import { useAgent } from "./use-agent.ts";
import { useJob } from "./use-job.ts";

const FACTS_POLL_MS = 10_000;
/** The file may be changed by hand. */
const CONFIGURATION_POLL_MS = 10_000;

export default function NodePage() {
  const facts = useResource<NodeFacts>("/api/node", { topics: ["agent_state"], pollMs: FACTS_POLL_MS });
  const configuration = useResource<NodeConfiguration>("/api/config/bootstrap", {
    topics: ["config_job", "agent_state", "cluster_config_coordination"],
    pollMs: CONFIGURATION_POLL_MS,
  });
  const agent = useAgent();
  const job = useJob();
  return (
    <div class="space-y-4">
      <PageHeading title="Node" actions={<ApiTest />} />
      <div class="grid items-start gap-4 xl:grid-cols-[3fr_2fr]">
        <AgentCard agent={agent} />
        <div class="min-w-0 space-y-4">
          <RuntimeCard facts={facts} />
          <ServicesCard facts={facts} />
        </div>
      </div>
      <div class="grid items-start gap-4 xl:grid-cols-2">
        <LocalCard configuration={configuration} job={job} />
        <ClusterCard current={dataOf(configuration)?.hosts ?? null} />
      </div>
      <div class="grid items-start gap-4 xl:grid-cols-2">
        <TomlCard configuration={configuration} />
        <DatabaseCard facts={dataOf(facts)} />
      </div>
      <div class="grid items-start gap-4 xl:grid-cols-2">
        <EnvironmentCard facts={facts} />
        <FilesCard facts={facts} />
      </div>
    </div>
  );
}
