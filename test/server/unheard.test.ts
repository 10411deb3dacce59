/** Errors that nobody listens to: which of them are a warning of the process, and in what words. */
import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createServer, HandshakeError, ProtocolError } from '../../src/index.ts';
import { Unheard } from '../../src/server/unheard.ts';
import { RawClient } from '../support/raw-client.ts';
import { serve } from '../support/serving.ts';

afterEach(() => void vi.restoreAllMocks());

test('this program’s own faults are told, the peers’ are not', () => {
  const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const unheard = new Unheard();
  unheard.tell(new ProtocolError(1002, 'a frame against the rules'));
  unheard.tell(new HandshakeError(400, 'no request at all'));
  expect(emitWarning).not.toHaveBeenCalled();
  unheard.tell(new TypeError('a handler’s'));
  const warning = { name: 'PortalWarning', message: expect.stringContaining('TypeError: a handler’s') };
  expect(emitWarning.mock.calls).toEqual([[expect.objectContaining(warning)]]);
});

describe('a refusal that a first user is likely to meet', () => {
  test('is a warning with what to do, once for each status', async () => {
    const quiet = createServer({ port: 0, host: '127.0.0.1', paths: { '/': { authorize: () => false } } });
    await quiet.start();
    const said: string[] = [];
    vi.spyOn(process, 'emitWarning').mockImplementation((text) => void said.push(String(text)));
    const refused = async (path: string, origin?: string) => {
      const client = await RawClient.connect(quiet.address()?.port ?? 0, {
        path,
        ...(origin === undefined ? {} : { headers: { Origin: origin } }),
      });
      return (await client.response()).status;
    };
    expect(await refused('/ecko')).toBe(404);
    expect(await refused('/elsewhere')).toBe(404);
    expect(await refused('/', 'https://example.com')).toBe(403);
    // What `authorize` refused is meant so.
    expect(await refused('/')).toBe(403);
    await quiet.stop({ deadline: 0 });
    expect(said).toEqual([
      'a handshake was refused with 404: There is nothing at /ecko. server.path("/ecko", { onMessage }) would ' +
        'make it. (Said once; errors$ tells of each.)',
      expect.stringMatching(
        /^a handshake was refused with 403: Pages from the origin "https:\/\/example.com" .* Write origins: \["https:\/\/example.com"\]\. \(Said once/,
      ),
    ]);
  });

  test('is quiet where errors$ is heard, and tells it what to do', async () => {
    const emitWarning = vi.spyOn(process, 'emitWarning');
    const { server, port } = await serve();
    const failure = firstValueFrom(server.errors$);
    const client = await RawClient.connect(port, { path: '/ecko' });
    expect((await client.response()).body).toBe('There is nothing at /ecko.\n');
    const { error } = await failure;
    expect(error).toMatchObject({
      status: 404,
      advice: 'server.path("/ecko", { onMessage }) would make it.',
    });
    expect(emitWarning).not.toHaveBeenCalled();
  });
});
