import { setImmediate } from 'node:timers/promises';
import { connectAhead } from './ahead.ts';

const ahead = await connectAhead(process.env);
const { run } = await import('./main.ts');
// The handshake goes on when nothing else runs.
await setImmediate();
await run(ahead);
ahead?.socket.destroy();
