/** What work leaves open in this process: in one of its own, that would keep it from ending. */
import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

/** A socket, a timer, a process: as long as one is open that counts, Node does not end. */
interface Handle {
  hasRef(): boolean;
}

/** Connections and processes count while they are there, though an idle one would let the process end. */
const COUNTED = new Set(['TCPWRAP', 'TCPSERVERWRAP', 'PIPEWRAP', 'PROCESSWRAP']);

/** Knows what the step itself opens, apart from what the emulator opens for it in the same process. */
export function watchHandles() {
  const context = new AsyncLocalStorage<true>();
  const opened = new Map<number, { readonly type: string; readonly handle: Handle }>();
  const hook = createHook({
    init(id, type, _trigger, resource) {
      if (context.getStore() && 'hasRef' in resource) opened.set(id, { type, handle: resource as Handle });
    },
    // A timer that is over says that it counts all the same.
    destroy(id) {
      opened.delete(id);
    },
    trackPromises: false,
  }).enable();
  const open = (): string[] =>
    [...opened.values()].filter(({ type, handle }) => COUNTED.has(type) || handle.hasRef()).map(({ type }) => type);
  return {
    during: async (work: () => Promise<void>): Promise<void> => {
      await context.run(true, work);
    },
    /** Waits until none of it is open, as the end of a process does; but not for longer than this. */
    closed: async (milliseconds: number): Promise<void> => {
      const until = performance.now() + milliseconds;
      // What is about to open is open a turn later.
      await nextTurn();
      while (open().length > 0) {
        if (performance.now() > until) throw new Error(`Still open: ${open().join(', ')}.`);
        await sleep(5);
      }
    },
    stop: (): void => {
      hook.disable();
    },
  };
}
