// examples/workers.mjs, run from outside as its readers run it.
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Program, start } from '../clients/example.ts';

const programs: Program[] = [];
const clients: WebSocket[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate();
  for (const program of programs.splice(0)) await program.stop();
});

async function join(url: string) {
  const client = new WebSocket(url);
  clients.push(client);
  const [message] = await once(client, 'message');
  return { client, pid: String(message).replace(/\D/g, '') };
}

test.each(['examples/workers.mjs', 'examples/workers-room.mjs'])(
  '%s: a message goes to the others, SIGTERM ends it',
  async (file) => {
    const program = await start(file, { WORKERS: '2' });
    programs.push(program);
    const count = file === 'examples/workers.mjs' ? 2 : 1;
    const members = new Map<string, WebSocket>();
    while (members.size < count) {
      const { client, pid } = await join(program.url);
      if (members.has(pid)) client.terminate();
      else members.set(pid, client);
    }
    const [one] = members.values();
    const other = count === 2 ? [...members.values()][1] : (await join(program.url)).client;
    const heard = once(other as WebSocket, 'message').then(() => true);
    // Until the first process knows of the other one's interest.
    let isHeard = false;
    void heard.then(() => {
      isHeard = true;
    });
    while (!isHeard) {
      one?.send('hello');
      await new Promise((resolve) => setImmediate(resolve));
    }
    const closed = once(one as WebSocket, 'close');
    expect(await program.stop()).toMatchObject({ code: 0, stderr: '' });
    expect((await closed)[0]).toBe(1001);
  },
);
