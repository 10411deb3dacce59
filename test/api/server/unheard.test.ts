/** Errors that nobody listens to: which of them are a warning of the process, and in what words. */
import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { errorOf } from '../../../src/api/errors.ts';
import { Unheard } from '../../../src/api/server/unheard.ts';
import { createServer, HandshakeError, ProtocolError } from '../../../src/index.ts';
import { fault } from '../../../src/io/faults.ts';
import { RawClient } from '../../support/raw-client.ts';
import { serve } from '../../support/serving.ts';

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
  test('is a warning with what to do, once for each reason', async () => {
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

  test('is said once for each reason: a stranger’s TLS hello hides no other advice of the same status', () => {
    const said: string[] = [];
    vi.spyOn(process, 'emitWarning').mockImplementation((text) => void said.push(String(text)));
    const unheard = new Unheard();
    const facts = { path: undefined, remoteAddress: undefined, origin: undefined };
    for (const name of [
      'tls',
      'proxyProtocol',
      'tls',
      'contradictingProxies',
      'maxHeaders',
      'maxHeadBytes',
    ] as const) {
      unheard.tell(errorOf(fault(name), undefined, facts));
    }
    expect(said.map((text) => text.match(/refused with (\d+)/)?.[1])).toEqual([
      '400',
      '400',
      '400',
      '431',
      '431',
    ]);
    expect(errorOf(fault('tls'), undefined, facts)).toMatchObject({ status: 400, reason: 'tls' });
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
