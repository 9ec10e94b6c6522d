/** @module A child's side of the channel to the main process. */

/**
 * Sends one message. It is on its way when this returns, unless the channel is full: the system call happens at once,
 * so the main process sees it even if this one then works for long.
 */
export function sendToParent(message: unknown): void {
  // The callback takes the error of a channel that has closed: this process then ends by its watchdog.
  process.send?.(message, undefined, {}, () => {});
}

/** Like `sendToParent`, and resolves when the channel has taken it: whoever waits does not fill memory. */
export function sentToParent(message: unknown): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) return resolve();
    process.send(message, undefined, {}, () => resolve());
  });
}
