/** That a step leaves nothing open is only seen where this is noticed. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { connect, createServer, type AddressInfo } from 'node:net';
import { watchHandles } from './handles.ts';

interface Opened {
  close(): void;
}

let port: number;
const listener = createServer();
beforeAll(async () => {
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  ({ port } = listener.address() as AddressInfo);
});
afterAll(() => {
  listener.close();
});

const OPENERS: readonly [string, () => Opened][] = [
  ['a timer', () => timer(setTimeout(() => undefined, 60_000))],
  ['an interval', () => timer(setInterval(() => undefined, 60_000))],
  ['a server', () => createServer().listen(0, '127.0.0.1')],
  [
    'a connection that lets the process end',
    () => {
      const socket = connect(port, '127.0.0.1').unref();
      return { close: () => socket.destroy() };
    },
  ],
  [
    'a process',
    () => {
      const child = spawn('sleep', ['60']);
      return { close: () => child.kill() };
    },
  ],
];

function timer(it: NodeJS.Timeout): Opened {
  return {
    close: () => {
      clearTimeout(it);
    },
  };
}

test.each(OPENERS)('%s that is left open is noticed, until it is closed', async (_, open) => {
  const handles = watchHandles();
  try {
    let opened: Opened | undefined;
    await handles.during(async () => {
      await Promise.resolve();
      opened = open();
    });
    await expect(handles.closed(50)).rejects.toThrow('Still open: ');
    opened?.close();
    await handles.closed(5_000);
  } finally {
    handles.stop();
  }
});

test('what does not keep a process from ending, and what others open, is none of it', async () => {
  const handles = watchHandles();
  const others = setTimeout(() => undefined, 60_000);
  try {
    await handles.during(async () => {
      setTimeout(() => undefined, 60_000).unref();
      await new Promise((resolve) => setTimeout(resolve, 1));
    });
    await handles.closed(5_000);
  } finally {
    clearTimeout(others);
    handles.stop();
  }
});
