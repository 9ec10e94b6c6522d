/** @module Service schemas with a typed `this`: Moleculer's own types know none of a service's properties. */
import type { Context, ServiceSchema } from "moleculer";

interface Action<This> {
  readonly visibility?: "published" | "public" | "protected" | "private";
  /** Shape of the params, for Moleculer's validator. */
  readonly params: Readonly<Record<string, unknown>>;
  handler(this: This, ctx: Context): unknown;
}

/** A service schema in the order in which it is read: name, settings, actions, events, methods, lifecycle. */
export interface TypedSchema<This> {
  readonly name: string;
  readonly mixins?: readonly Partial<ServiceSchema>[];
  readonly dependencies?: readonly string[];
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly actions?: Readonly<Record<string, Action<This>>>;
  readonly events?: { [name: string]: (this: This, ctx: Context<never>) => unknown };
  readonly methods?: { [name: string]: (this: This, ...args: never[]) => unknown };
  created?(this: This): void;
  started?(this: This): Promise<void>;
  stopped?(this: This): Promise<void> | void;
}

/** The schema as Moleculer takes it. `This` is the service with the properties that `created` gives it. */
export function defineService<This>(schema: TypedSchema<This>): ServiceSchema {
  return schema as unknown as ServiceSchema;
}
