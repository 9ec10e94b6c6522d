/** @module The hosts that a person writes: begun with those that are there, and sent with what the node says of each. */
import { useState } from "preact/hooks";
import { toast } from "../../data/toasts.ts";
import { hostsIn, refusedHosts } from "./host-problems.ts";

export interface HostsInput {
  readonly text: string;
  readonly problems: Readonly<Record<string, string>>;
  readonly change: (text: string) => void;
  /** Sends them; tells a failure beside the hosts and as a toast. Returns null then. */
  readonly submit: <T>(send: (hosts: readonly string[]) => Promise<T>, failed: string) => Promise<T | null>;
}

/** `current` stands in the input until the person writes something. */
export function useHosts(current: readonly string[]): HostsInput {
  const [written, setWritten] = useState<string | null>(null);
  const [problems, setProblems] = useState<Readonly<Record<string, string>>>({});
  const text = written ?? current.join(", ");
  return {
    text,
    problems,
    change: setWritten,
    async submit(send, failed) {
      setProblems({});
      try {
        return await send(hostsIn(text));
      } catch (error) {
        setProblems(refusedHosts(error));
        toast.error(`${failed}: ${(error as Error).message}`);
        return null;
      }
    },
  };
}
