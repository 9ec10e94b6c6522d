/** @module Who wins in a merge, rule by rule. */
import assert from "node:assert/strict";
import { type Decision, decide } from "../../corrosion/embedded/store/merge.ts";

interface Case {
  readonly title: string;
  /** Causal length and, where there is one, the column's version here. */
  readonly here: readonly [cl: bigint, colVersion: bigint | null];
  readonly change: readonly [cid: string, colVersion: bigint, cl: bigint];
  /** How the change's value and site compare with the ones here. */
  readonly value?: number;
  readonly site?: number;
  readonly expected: Decision;
}

const IGNORE = { kind: "ignore" } as const;
const SET = { kind: "set" } as const;

const cases: Case[] = [
  { title: "a lower causal length is ignored", here: [2n, null], change: ["a", 9n, 1n], expected: IGNORE },
  { title: "a lower even one too", here: [3n, 1n], change: ["-1", 2n, 2n], expected: IGNORE },
  {
    title: "a greater even one deletes",
    here: [1n, 1n],
    change: ["-1", 2n, 2n],
    expected: { kind: "delete" },
  },
  {
    title: "a deletion of what was never here counts",
    here: [0n, null],
    change: ["-1", 2n, 2n],
    expected: { kind: "delete" },
  },
  ...([2n, 3n] as const).flatMap((cl): Case[] => [
    {
      title: `an equal sentinel of a greater site takes the credit (${cl})`,
      here: [cl, cl],
      change: ["-1", cl, cl],
      site: 1,
      expected: { kind: "credit" },
    },
    {
      title: `an equal sentinel of a lower site does nothing (${cl})`,
      here: [cl, cl],
      change: ["-1", cl, cl],
      site: -1,
      expected: IGNORE,
    },
    {
      title: `a sentinel that comes again does nothing (${cl})`,
      here: [cl, cl],
      change: ["-1", cl, cl],
      expected: IGNORE,
    },
  ]),
  { title: "a new row's column is set", here: [0n, null], change: ["a", 1n, 1n], expected: SET },
  {
    title: "a new row's sentinel makes the row",
    here: [0n, null],
    change: ["-1", 1n, 1n],
    expected: { kind: "create" },
  },
  {
    title: "a column brings a deleted row back",
    here: [2n, null],
    change: ["a", 1n, 3n],
    expected: { kind: "revive", column: true },
  },
  {
    title: "a column with a greater odd length wins over any version",
    here: [1n, 99n],
    change: ["a", 1n, 3n],
    expected: { kind: "revive", column: true },
  },
  {
    title: "a sentinel brings a deleted row back",
    here: [2n, null],
    change: ["-1", 3n, 3n],
    expected: { kind: "revive", column: false },
  },
  {
    title: "a row that comes first with length 3 has a sentinel",
    here: [0n, null],
    change: ["a", 1n, 3n],
    expected: { kind: "revive", column: true },
  },
  {
    title: "an equal even one does nothing without one here",
    here: [2n, null],
    change: ["-1", 2n, 2n],
    expected: IGNORE,
  },
  {
    title: "an equal odd one is a no-op without one here",
    here: [3n, null],
    change: ["-1", 3n, 3n],
    expected: IGNORE,
  },
  {
    title: "an equal sentinel says nothing of a row that has none",
    here: [1n, null],
    change: ["-1", 1n, 1n],
    site: 1,
    expected: IGNORE,
  },
  { title: "a column without a clock here wins", here: [1n, null], change: ["a", 1n, 1n], expected: SET },
  {
    title: "a greater version wins, whatever the value",
    here: [1n, 2n],
    change: ["a", 3n, 1n],
    value: -1,
    site: -1,
    expected: SET,
  },
  {
    title: "a lower version loses, whatever the value",
    here: [1n, 2n],
    change: ["a", 1n, 1n],
    value: 1,
    site: 1,
    expected: IGNORE,
  },
  {
    title: "of equal versions the greater value wins",
    here: [1n, 2n],
    change: ["a", 2n, 1n],
    value: 1,
    site: -1,
    expected: SET,
  },
  {
    title: "of equal versions the lower value loses",
    here: [1n, 2n],
    change: ["a", 2n, 1n],
    value: -1,
    site: 1,
    expected: IGNORE,
  },
  {
    title: "of equal values the greater site wins",
    here: [1n, 2n],
    change: ["a", 2n, 1n],
    value: 0,
    site: 1,
    expected: SET,
  },
  {
    title: "of equal values the lower site loses",
    here: [1n, 2n],
    change: ["a", 2n, 1n],
    value: 0,
    site: -1,
    expected: IGNORE,
  },
  {
    title: "the same change again is ignored",
    here: [1n, 2n],
    change: ["a", 2n, 1n],
    value: 0,
    site: 0,
    expected: IGNORE,
  },
];

describe("merging a change", () => {
  for (const { title, here, change, value = 0, site = 0, expected } of cases) {
    it(title, () => {
      const [cl, colVersion] = here;
      const [cid, version, length] = change;
      const local = { cl, colVersion, compareValue: () => value, compareSite: () => site };
      assert.deepEqual(decide(local, { cid, colVersion: version, cl: length }), expected);
    });
  }
});
