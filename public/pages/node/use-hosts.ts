/** @module The hosts that a person writes: begun with those that are there, and sent with what is said of each. */
import { useState } from "preact/hooks";
import { toast } from "../../data/toasts.ts";
import { type HostProblem, hostsIn, problemsOf, refusedHosts } from "./host-problems.ts";

export interface HostsInput {
  readonly text: string;
  readonly problems: readonly HostProblem[];
  readonly change: (text: string) => void;
  /** Whether they can be sent; what is wrong with them is shown from then on. */
  readonly check: () => boolean;
  /** Sends them; tells a failure beside the hosts and as a toast. Returns null then. */
  readonly submit: <T>(send: (hosts: readonly string[]) => Promise<T>, failed: string) => Promise<T | null>;
}

/** `current` stands in the input until the person writes something. */
export function useHosts(current: readonly string[]): HostsInput {
  const [written, setWritten] = useState<string | null>(null);
  const [refused, setRefused] = useState<Readonly<Record<string, string>>>({});
  // Nobody is told what is wrong before they have tried.
  const [tried, setTried] = useState(false);
  const text = written ?? current.join(", ");
  return {
    text,
    problems: tried ? problemsOf(text, refused) : [],
    change: setWritten,
    check() {
      setTried(true);
      setRefused({});
      return problemsOf(text, {}).length === 0;
    },
    async submit(send, failed) {
      try {
        return await send(hostsIn(text));
      } catch (error) {
        setRefused(refusedHosts(error));
        toast.error(`${failed}: ${(error as Error).message}`);
        return null;
      }
    },
  };
}
