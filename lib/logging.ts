/** @module Where log lines go: files and a short form for the terminal, or structured lines on standard output. */
import { join } from "node:path";
import { Writable } from "node:stream";
import type { LoggerConfig } from "moleculer";
import pino, { type DestinationStream, type Level, type LoggerOptions } from "pino";
import type { Config } from "./config.ts";

/** Moleculer's own modules, and the actors of which there are hundreds, tell only of trouble. */
const LEVELS = {
  BROKER: "warn",
  REGISTRY: "warn",
  TRANSIT: "warn",
  TRANSPORTER: "warn",
  DISCOVERER: "warn",
  CACHER: "warn",
  // Two stars, for one does not match the dot in raft.g000.follower.
  "RAFT.G**": "warn",
  $NODE: "warn",
};

/** A logger that takes `(message, fields)`, as those of Moleculer's services do. */
export type Log = Readonly<Record<"error" | "warn" | "info", (message: string, fields: object) => void>>;

/** The logger of one node, for Moleculer. */
export function loggerOptions(config: Config): LoggerConfig {
  const root = openLogger(config);
  const level = levelOf(config);
  const quiet = Object.fromEntries(Object.entries(LEVELS).map(([module, at]) => [module, lessOf(level, at)]));
  // Moleculer copies plain options, which would break a stream; a function it leaves as it is.
  const createLogger = (at: Level, bindings: object) => root.child(bindings, { level: at });
  return { type: "Pino", options: { level: { ...quiet, "**": level }, createLogger } };
}

/** The logger of what a process does beside its nodes, in a file of its own; `name` stands for the node's id. */
export function processLog(config: Config, name: string): Log {
  return openLogger({ ...config, nodeId: name });
}

/** The least serious lines that are kept anywhere. */
function levelOf({ logDir, logLevel }: Config): Level {
  return logDir === null || logLevel === "trace" || logLevel === "debug" ? logLevel : "info";
}

function openLogger(config: Config): pino.Logger {
  const { logDir, logLevel, nodeId } = config;
  const level = levelOf(config);
  const options: LoggerOptions = {
    level,
    base: { node: nodeId },
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: {
      // Services log `(message, fields)`, pino takes `(fields, message)`.
      logMethod(args, method) {
        const [first, second, ...rest] = args as unknown[];
        const swapped = typeof first === "string" && typeof second === "object" && second !== null;
        method.apply(this, (swapped ? [second, first, ...rest] : args) as Parameters<typeof method>);
      },
    },
  };
  return logDir === null
    ? pino(options, destination(STDOUT))
    : pino(options, filesAndTerminal(logDir, nodeId, level, logLevel));
}

const STDOUT = 1;
/** Characters that wait for a disk or pipe that takes none; what comes then is dropped. */
const MAX_WAITING = 1_048_576;
/** A file that cannot be written is told of this often at most. */
const TELL_EVERY_MS = 60_000;

/** A file for lines that somebody else wrote. */
export interface LineFile {
  /** `text` ends with a newline. A disk that takes none costs the line, and nothing else. */
  write(text: string): void;
  close(): void;
}

/** Opens a file to append lines to; its folder is made. */
export function openLineFile(path: string): LineFile {
  const file = destination(path);
  return {
    write: (text) => void file.write(text),
    close: () => file.end(),
  };
}

/** A full disk costs log lines, and nothing else. */
function destination(dest: string | number): ReturnType<typeof pino.destination> {
  const stream = pino.destination({ dest, mkdir: true, sync: false, maxLength: MAX_WAITING });
  let toldAt = Number.NEGATIVE_INFINITY;
  stream.on("error", (error: Error) => {
    if (performance.now() - toldAt < TELL_EVERY_MS) return;
    toldAt = performance.now();
    const name = dest === STDOUT ? "standard output" : String(dest);
    process.stderr.write(`Log lines are lost, for ${name} cannot be written: ${error.message}\n`);
  });
  return stream;
}

/** Name of a log file: of a node itself (`app`), or of what runs beside it. */
export function logFile(nodeId: string, what: "app" | "corrosion"): string {
  return `${nodeId.replace(/^(dev|test)-/, "")}-${what}.log`;
}

function filesAndTerminal(
  logDir: string,
  nodeId: string,
  fileLevel: Level,
  terminalLevel: Level,
): DestinationStream {
  const file = join(logDir, logFile(nodeId, "app"));
  return pino.multistream([
    { level: fileLevel, stream: destination(file) },
    { level: terminalLevel, stream: terminal() },
  ]);
}

/** Fields of a line that the terminal leaves out: they say where it came from, not what happened. */
const PLUMBING = new Set(["level", "time", "node", "nodeID", "ns", "mod", "msg", "svc", "version"]);

/** One line a record on standard error: node, level, message, then the fields. */
function terminal(): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      process.stderr.write(`${shorten(chunk.toString())}\n`);
      done();
    },
  });
}

function shorten(line: string): string {
  const record = JSON.parse(line) as Record<string, unknown>;
  const fields = Object.entries(record)
    .filter(([name]) => !PLUMBING.has(name))
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const level = pino.levels.labels[Number(record.level)] ?? "log";
  return [`${String(record.node)} ${level}:`, String(record.msg ?? ""), ...fields].join(" ");
}

/** The more silent one of two levels. */
function lessOf(a: Level | "silent", b: string): string {
  const values: Readonly<Record<string, number>> = pino.levels.values;
  return (values[a] ?? 100) > (values[b] ?? 100) ? a : b;
}
