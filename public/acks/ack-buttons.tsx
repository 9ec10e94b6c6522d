/** @module The three buttons of both pages about acknowledgements. */
import { Button } from "../components/button.tsx";
import { resetTracking, sendDrill } from "./actions.ts";

export interface AckButtonsProps {
  readonly send: () => Promise<void>;
  /** A send that another way (a key) has set off. */
  readonly sending?: boolean;
  /** Something was done, whatever came of it. */
  readonly done: () => void;
}

export function AckButtons({ send, sending = false, done }: AckButtonsProps) {
  const then = (work: () => Promise<void>) => async () => {
    await work();
    done();
  };
  return (
    <div class="flex flex-wrap gap-2 max-sm:*:grow">
      <Button tone="primary" busy={sending} onPress={then(send)}>
        Send Message
      </Button>
      <Button
        onPress={then(sendDrill)}
        title="A message over the bus alone, past the agents: it tells whether nodes reach each other."
      >
        Test Cluster PubSub
      </Button>
      <Button
        onPress={then(resetTracking)}
        title="Forgets which message is the newest; nothing that was sent is lost."
      >
        Reset Tracking
      </Button>
    </div>
  );
}
