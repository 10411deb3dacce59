/** The built package where Node reports or forbids calls: it works, and nothing is printed because of it. */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { node, Program } from './program.ts';

const knows = (flag: string) => process.allowedNodeEnvironmentFlags.has(flag);

/** Its flags are experimental in some versions, and Node says so. */
const permission = [
  knows('--permission') ? '--permission' : '--experimental-permission',
  '--allow-fs-read=*',
  ...(knows('--allow-net') ? ['--allow-net'] : []),
  '--disable-warning=ExperimentalWarning',
];

async function works(flags: string[], env: Record<string, string> = {}): Promise<void> {
  const program = new Program(node(...flags), 'echo-server.mjs', ['handle'], env);
  try {
    const { port } = (await program.json()) as { port: number };
    const client = new WebSocket(`ws://127.0.0.1:${port}/echo`);
    await once(client, 'open');
    client.send('hi');
    expect(String((await once(client, 'message'))[0])).toBe('hi');
    client.close(1000);
    expect(await program.json()).toMatchObject({ code: 1000, wasClean: true });
    program.say('stop');
    expect(await program.json()).toMatchObject({ stopped: { terminated: 0 } });
    expect(await program.ended).toEqual({ code: 0, stderr: '' });
  } finally {
    await program.kill();
  }
}

const FLAGS = [
  ['--throw-deprecation'],
  ['--trace-deprecation'],
  ['--no-deprecation'],
  ['--pending-deprecation'],
  ['--pending-deprecation', '--throw-deprecation'],
  ['--pending-deprecation', '--no-deprecation'],
  permission,
];
for (const flags of FLAGS) test(['node', ...flags].join(' '), () => works(flags));

test('NODE_PENDING_DEPRECATION=1 node --throw-deprecation', () =>
  works(['--throw-deprecation'], { NODE_PENDING_DEPRECATION: '1' }));

test('NODE_OPTIONS="--pending-deprecation --throw-deprecation" node', () =>
  works([], { NODE_OPTIONS: '--pending-deprecation --throw-deprecation' }));
