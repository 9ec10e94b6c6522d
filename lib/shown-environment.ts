/** @module The environment as it may be shown: the variables that Fleetport reads, without what is secret in them. */
import type { Env } from "./env.ts";

export const REDACTED = "[redacted]";

/** Every variable that a node reads (contracts fleet, section 11, and corroport, section 1). */
export const VARIABLES: readonly string[] = [
  ["NODE_ID", "FLEETPORT_ENV", "CLUSTER_SIZE", "HOST", "BIND_HOST", "PORT", "API_PORT"],
  ["DATA_DIR", "NATS_URL", "DATABASE_URL", "REDIS_URL"],
  ["CORROSION_BIN", "CORROSION_MODE", "CORROSION_API_URL", "CORROSION_API_TOKEN"],
  ["CORROSION_API_PORT", "CORROSION_GOSSIP_PORT", "CORROSION_CONFIG_DIR"],
  ["ACK_TOKEN", "CONSOLE_TOKEN", "ALLOWED_ORIGINS"],
  ["ACK_ATTEMPTS", "ACK_CONCURRENCY", "ACK_DEADLINE_MS", "MESSAGE_KEEP"],
  ["DEDUPE_MAX", "DEDUPE_TTL_MS", "DNS_TTL_MS", "MEMBERS_REFRESH_MS", "METRICS_INTERVAL_MS"],
  ["ANALYTICS_INTERVAL_MS", "ANALYTICS_CACHE_MS"],
  ["FLY_APP_NAME", "FLY_REGION", "FLY_MACHINE_ID", "FLY_PRIVATE_IP"],
  ["FLEET_NODE_ID", "FLEET_NODES", "FLEET_ENGINE", "FLEET_DATA_DIR", "FLEET_GROUPS", "FLEET_REPLICAS"],
  ["FLEET_HEARTBEAT_MS", "FLEET_NODE_TIMEOUT_MS", "FLEET_LEADER_LEASE_MS", "FLEET_APPEND_TIMEOUT_MS"],
  ["FLEET_DRAIN_TIMEOUT_MS", "FLEET_POOL_SIZE", "FLEET_MIGRATE_ON_BOOT", "FLEET_FLUSH_INTERVAL_MS"],
  ["FLEET_FLUSH_BATCH", "FLEET_SNAPSHOT_EVERY", "FLEET_SNAPSHOT_KEEP", "FLEET_EVICT_IDLE_MS"],
  ["FLEET_MAX_CONTENT_BYTES", "FLEET_INFLIGHT_BYTES", "FLEET_HOT_BYTES", "FLEET_WS_BUFFER_BYTES"],
  ["FLEET_CATCHUP_INTERVAL_MS", "FLEET_RATE_LIMIT", "FLEET_AUTH_ALLOW_INSECURE"],
  ["FLEET_LOG_LEVEL", "FLEET_LOG_DIR"],
].flat();

const SECRET_NAME = /TOKEN|SECRET|PASSWORD|KEY/;

/** The value of each variable, null where it is not set. Tokens, credentials and queries of URLs are replaced. */
export function shownEnvironment(env: Env): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    VARIABLES.map((name) => {
      const value = env[name]?.trim() || null;
      if (value === null) return [name, null];
      return [name, SECRET_NAME.test(name) ? REDACTED : withoutCredentials(value)];
    }),
  );
}

/** A URL, or a list of them. Where it cannot be told what belongs to a password, nothing of it is shown. */
function withoutCredentials(value: string): string {
  const [scheme = ""] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(value) ?? [];
  const at = value.lastIndexOf("@");
  const query = value.indexOf("?");
  if (at >= 0 && query >= 0 && query < at) return `${scheme}${REDACTED}`;
  const credentials = at < 0 ? value : `${scheme}${REDACTED}${value.slice(at)}`;
  return credentials.replace(/\?.*$/s, `?${REDACTED}`);
}
