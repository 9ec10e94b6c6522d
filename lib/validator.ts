/** @module Moleculer's validator of params, of which no JSON that a client sends can make an exception. */
import { Validators } from "moleculer";

/**
 * The validator of a broker. fastest-validator 1.19 prints the wrong value into its sentence and throws a TypeError
 * where that cannot be printed: JSON may say `{"toString": false}`. Such params are checked again without what makes
 * them so, for the same problems at the same fields.
 */
export function paramsValidator(): Validators.Base {
  return new ParamsValidator();
}

class ParamsValidator extends Validators.Fastest {
  override compile(schema: Parameters<Validators.Fastest["compile"]>[0]): Checker {
    const check = super.compile(schema);
    return (params, options) => {
      try {
        return check(params, options);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        const problems = check(printable(params), options);
        // What was wrong is gone with what could not be printed: it must not count as right.
        if (problems === true) throw error;
        return problems;
      }
    };
  }
}

type Checker = ReturnType<Validators.Fastest["compile"]>;

/** A copy that can be turned into text, whatever its members are called. */
function printable(params: Record<string, unknown>): Record<string, unknown> {
  const text = JSON.stringify(params, (name, value: unknown) =>
    name === "toString" || name === "valueOf" ? undefined : value,
  );
  return JSON.parse(text) as Record<string, unknown>;
}
