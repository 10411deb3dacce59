/** TLS on Node's handle: used where its parts are as expected, and not where somebody has read already. */
import { EventEmitter } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { TlsHandleTransport } from '../../../src/io/transports/handle-tls.ts';
import { certificate, dial, makeListener } from '../../support/carrier.ts';
import { hasOpenssl, skippedTls } from '../../support/certificates.ts';
import { tcpSuite } from './tcp-suite.ts';

describe('a TLSSocket whose parts are not as expected', () => {
  const fake = (handle: unknown, readableLength = 0) =>
    Object.assign(new EventEmitter(), { _handle: handle, readableLength }) as unknown as TLSSocket;

  test.each([
    ['no handle', undefined],
    ['a handle without methods', {}],
    ['a closed one', null],
  ])('%s: it is left to its streams', (_, handle) => {
    expect(TlsHandleTransport.of(fake(handle))).toBeUndefined();
  });
});

if (hasOpenssl) {
  certificate();
  for (const byHandle of [true, false]) {
    tcpSuite(
      `TLS by ${byHandle ? 'handle' : 'net.Socket'}`,
      (options) => makeListener(byHandle, options, 'tls'),
      {
        name: 'tls',
        atOnce: byHandle ? 'first' : 'none',
        dial: (port) => dial(port, '127.0.0.1', 'tls'),
      },
    );
  }
} else {
  test.skip(`TLS by handle${skippedTls}`, () => {});
}
