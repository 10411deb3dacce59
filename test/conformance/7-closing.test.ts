/** RFC 6455 5.5.1 and 7: the closing handshake, close codes and reasons, and who ends TCP. */
import { describe, expect, test } from 'vitest';
import { carrier } from '../support/carrier.ts';
import {
  bytes,
  closeFrame,
  closePayload,
  continuationFrame,
  frame,
  OPCODE,
  pingFrame,
  pongFrame,
  textFrame,
} from '../support/raw-client.ts';
import { pong, Suite, sampleText, text } from './conversation.ts';

const suite = new Suite({ closeDeadline: 200 });
const BATCH = 50;

/** RFC 6455 7.4.2 and the IANA registry of section 11.7: what a peer may put into a Close frame. */
function mayBeReceived(code: number): boolean {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code);
}

describe('5.5.1: upon receiving a Close frame, an endpoint MUST send a Close frame in response', () => {
  suite.conforms('a Close without a code is answered by one without a code', {
    send: [closeFrame()],
    close: 'empty',
  });
  suite.conforms('Close 1000 without a reason is answered by 1000', {
    send: [closeFrame(1000)],
    close: 1000,
  });
  suite.conforms('Close 1000 with a reason is answered by 1000', {
    send: [closeFrame(1000, 'Hello World!')],
    close: 1000,
  });
  suite.conforms('a reason of 123 bytes is the longest there is', {
    send: [closeFrame(1000, '*'.repeat(123))],
    close: 1000,
  });
  suite.conforms('a reason of 124 bytes is answered by Close 1002', {
    send: [closeFrame(1000, '*'.repeat(124))],
    close: 1002,
  });
  suite.conforms('a reason in characters of several bytes', {
    send: [closeFrame(4000, 'ĝis! 再见 👋')],
    close: 4000,
  });
  suite.conforms('a Close of one byte is answered by Close 1002', {
    send: [frame({ opcode: OPCODE.close, payload: Uint8Array.of(0x03) })],
    close: 1002,
  });
  suite.conforms('messages before the Close are echoed before it is answered', {
    send: [textFrame('1'), textFrame('2'), pingFrame('3'), closeFrame(1001)],
    answers: [text('1'), text('2'), pong('3')],
    close: 1001,
  });
  suite.conforms('a message of 256 KiB before the Close is echoed in full', {
    send: [textFrame(sampleText(262_144)), closeFrame(1000), pingFrame('late')],
    answers: [text(sampleText(262_144))],
    close: 1000,
    ways: ['whole', { seed: 11 }],
  });
});

describe('5.5.1: after a Close frame nothing more is read as data', () => {
  const late: Record<string, Uint8Array[]> = {
    'a text frame': [textFrame('late')],
    'a ping': [pingFrame('late')],
    'a pong': [pongFrame('late')],
    'a second Close': [closeFrame(1001)],
    'a second Close that is wrong': [closeFrame(1005)],
    'a protocol violation': [textFrame('late', { mask: false })],
    'text that is not UTF-8': [textFrame(Uint8Array.of(0xff))],
    'half a frame': [textFrame('late').subarray(0, 7)],
    'a fragmented message': [textFrame('la', { fin: false }), continuationFrame('te')],
    garbage: [bytes('GET / HTTP/1.1\r\n\r\n')],
    'a mebibyte': [new Uint8Array(1_048_576)],
  };
  for (const [name, frames] of Object.entries(late)) {
    suite.conforms(`${name} after the Close is ignored`, {
      send: [closeFrame(3001), ...frames],
      close: 3001,
    });
  }
});

describe('7.4: each close code is either answered by itself or refused with 1002', () => {
  const thousand = (from: number): number[] => Array.from({ length: 1000 }, (_, i) => from + i);

  test.each([
    ['0 to 999', thousand(0)],
    ['1000 to 1999', thousand(1000)],
    ['2000 to 2999', thousand(2000)],
    ['3000 to 3999', thousand(3000)],
    ['4000 to 4999', thousand(4000)],
    ['5000 and some beyond', [5000, 5999, 9999, 32_768, 65_534, 65_535]],
  ])('codes %s', async (_, codes) => {
    for (let from = 0; from < codes.length; from += BATCH) {
      await Promise.all(codes.slice(from, from + BATCH).map(expectAnswer));
    }
  });

  async function expectAnswer(code: number): Promise<void> {
    const { client, closed } = await suite.call();
    await client.sendBytes(closeFrame(code, 'why'));
    const answer = await client.closeFrame();
    const isGood = mayBeReceived(code);
    expect(answer.code, `code ${code}`).toBe(isGood ? code : 1002);
    client.fin();
    const { code: reported, reason, wasClean, initiator } = await closed;
    expect({ code: reported, initiator }, `code ${code}`).toEqual(
      isGood ? { code, initiator: 'peer' } : { code: 1002, initiator: 'server' },
    );
    if (isGood) expect({ reason, wasClean }, `code ${code}`).toEqual({ reason: 'why', wasClean: true });
    client.destroy();
  }

  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) {
    suite.conforms(`Close ${code} without a reason is answered by Close 1002`, {
      send: [closeFrame(code)],
      close: 1002,
    });
  }
  for (const code of [1000, 1001, 1012, 1014, 3000, 3999, 4000, 4999]) {
    suite.conforms(`Close ${code} without a reason is answered by itself`, {
      send: [closeFrame(code)],
      close: code,
    });
  }
  for (const code of [1002, 1003, 1007, 1008, 1009, 1010, 1011]) {
    suite.conforms(`Close ${code}, which says that we did wrong, is answered by itself`, {
      send: [closeFrame(code)],
      close: code,
      initiator: 'peer',
    });
  }
});

describe('7.1.5 and 7.1.6: the close report has the code and the reason of the Close that came', () => {
  test('a code and a reason', async () => {
    const { client, closed } = await suite.call();
    await client.sendBytes(closeFrame(4001, 'ĝis revido'));
    await client.closeFrame();
    client.fin();
    expect(await closed).toEqual({ code: 4001, reason: 'ĝis revido', wasClean: true, initiator: 'peer' });
  });
  test('1005 where the Close had no code', async () => {
    const { client, closed } = await suite.call();
    await client.sendBytes(closeFrame());
    await client.closeFrame();
    client.fin();
    expect(await closed).toEqual({ code: 1005, reason: '', wasClean: true, initiator: 'peer' });
  });
  test('1006 and not clean where TCP ended without a Close, by FIN', async () => {
    const { client, closed } = await suite.call();
    client.fin();
    expect(await closed).toMatchObject({ code: 1006, wasClean: false, initiator: 'peer' });
    expect(await client.ended()).toBe('fin');
  });
  const noReset = carrier === 'unix' ? ' (skipped: a Unix socket has none)' : '';
  test.skipIf(noReset !== '')(
    `1006 and not clean where TCP ended without a Close, by RST${noReset}`,
    async () => {
      const { client, closed } = await suite.call();
      client.reset();
      expect(await closed).toMatchObject({ code: 1006, wasClean: false, initiator: 'peer' });
    },
  );
  test('1006 where TCP ended in the midst of a frame, and no message', async () => {
    const { client, closed, messages } = await suite.call();
    await client.sendBytes(textFrame('unfinished').subarray(0, 9));
    client.fin();
    expect(await closed).toMatchObject({ code: 1006, wasClean: false, initiator: 'peer' });
    expect(messages).toEqual([]);
  });
});

describe('7.1.1: the server ends TCP first, and takes what the client still sends without a reset', () => {
  test('bytes that come after both Close frames do not turn the FIN into a reset', async () => {
    const { client, closed } = await suite.call();
    await client.sendBytes(bytes(closeFrame(1000), new Uint8Array(300_000)));
    expect((await client.closeFrame()).code).toBe(1000);
    expect(await client.ended()).toBe('fin');
    client.fin();
    expect((await closed).wasClean).toBe(true);
  });
  test('a client that never ends its side does not keep the connection', async () => {
    const { client, closed } = await suite.call();
    await client.sendBytes(closeFrame(1000));
    expect((await client.closeFrame()).code).toBe(1000);
    expect(await client.ended()).toBe('fin');
    expect((await closed).code).toBe(1000);
  });
});

describe('7.1.2: the server starts the closing handshake', () => {
  test('its Close has the code and the reason given, and TCP waits for the answer', async () => {
    const { client, closed, opened } = await suite.call();
    (await opened).close(4002, 'enough');
    expect(await client.closeFrame()).toEqual({ code: 4002, reason: 'enough' });
    expect(client.hasEnded).toBe(false);
    await client.sendBytes(closeFrame(4002));
    expect(await client.ended()).toBe('fin');
    client.fin();
    expect(await closed).toMatchObject({ code: 4002, wasClean: true, initiator: 'server' });
  });
  test('no second Close is sent for the answer, nor for one with another code', async () => {
    const { client, opened } = await suite.call();
    (await opened).close(1000, '');
    await client.closeFrame();
    await client.sendBytes(bytes(closeFrame(3333, 'other'), closeFrame(3334)));
    expect(await client.ended()).toBe('fin');
    expect(client.waitingFrames).toEqual([]);
  });
  test('both Close frames may cross: each side has then sent one and had one', async () => {
    const { client, closed, opened } = await suite.call();
    const peer = await opened;
    await client.sendBytes(closeFrame(4100));
    peer.close(4200, '');
    expect([4100, 4200]).toContain((await client.closeFrame()).code);
    expect(await client.ended()).toBe('fin');
    client.fin();
    expect((await closed).wasClean).toBe(true);
    expect(client.waitingFrames).toEqual([]);
  });
  test('a peer that never answers is let go at the close deadline, and the report says so', async () => {
    const { client, closed, opened } = await suite.call();
    (await opened).close(1000, '');
    await client.closeFrame();
    expect(await closed).toMatchObject({ wasClean: false, initiator: 'server' });
    await client.ended();
  });
});

describe('7.1.7: a connection that has failed is closed with its code, and its input is discarded', () => {
  test('the Close 1002 of a failure is followed by the end of TCP, without an answer from the peer', async () => {
    const { client, closed } = await suite.call();
    await client.sendBytes(frame({ opcode: 0x3 }));
    expect((await client.closeFrame()).code).toBe(1002);
    expect(await client.ended()).toBe('fin');
    await client.sendBytes(closeFrame(1002));
    client.fin();
    expect(await closed).toMatchObject({ code: 1002, initiator: 'server' });
  });
  test('the peer is told no more than a short reason that is UTF-8', async () => {
    const { client } = await suite.call();
    await client.sendBytes(frame({ opcode: OPCODE.close, payload: closePayload(1005, 'secret') }));
    const { code, reason } = await client.closeFrame();
    expect(code).toBe(1002);
    expect(reason).not.toContain('secret');
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  });
});
