/** @module The one error of a request to the node, with a sentence for the person who looks at the page. */

export interface ApiErrorDetails {
  /** 0: there was no answer at all. */
  readonly status: number;
  /** What programs tell failures apart by; `unreachable` and `timeout` are the page's own. */
  readonly code: string;
  /** What was wrong with which field, a sentence each. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number | null;
  /** The answer's body, for what else a route says. */
  readonly body?: unknown;
}

export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly retryAfterMs: number | null;
  readonly body: unknown;

  constructor(message: string, { status, code, fields, retryAfterMs, body }: ApiErrorDetails) {
    super(message);
    this.status = status;
    this.code = code;
    this.fields = fields ?? {};
    this.retryAfterMs = retryAfterMs ?? null;
    this.body = body ?? null;
  }
}

/** The sentence of any failure, ended by a full stop. */
export function sentenceOf(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).trim();
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?:]$/.test(sentence) ? sentence : `${sentence}.`;
}

/**
 * The error of an answer that is no success, in any of the node's forms: `{error, code}`,
 * `{errors: {detail}, fields}` and `{errors: {field: [text]}}` (contracts fleet 5, corroport 6).
 */
export function errorOfAnswer(status: number, body: unknown): ApiError {
  const { error, code, errors, fields, retry_after_ms: retryAfterMs } = record(body);
  const named = { ...textsOf(errors), ...textsOf(fields) };
  const { detail, ...byField } = named;
  const sentence =
    typeof error === "string" ? error : ((fieldsText(byField) || detail) ?? `status ${status}`);
  return new ApiError(sentence === "" ? `the node answered with status ${status}` : sentence, {
    status,
    code: typeof code === "string" ? code : `http_${status}`,
    fields: byField,
    retryAfterMs: typeof retryAfterMs === "number" ? retryAfterMs : null,
    body,
  });
}

/** A text that says what its field must be does not name it; one that is a sentence does without the name. */
function fieldsText(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, text]) => (/^(must|may|is|has|cannot)\b/.test(text) ? `${name} ${text}` : text))
    .join("; ");
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** Texts, and lists of texts as one text, by their names. */
function textsOf(value: unknown): Record<string, string> {
  const texts = Object.entries(record(value)).flatMap(([name, text]) => {
    const all = (Array.isArray(text) ? text : [text]).filter((one) => typeof one === "string");
    return all.length > 0 ? [[name, all.join(", ")] as const] : [];
  });
  return Object.fromEntries(texts);
}
