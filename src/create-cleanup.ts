import { run } from './main.ts';

await run('create-cleanup');
