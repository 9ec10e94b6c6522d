/** @module What an engine asks of a logger: structured lines, as Moleculer's and pino's loggers take them. */

export interface EngineLogger {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
}
