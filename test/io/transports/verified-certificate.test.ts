/** A client's certificate counts only when it was verified and is there. */
import type { PeerCertificate } from 'node:tls';
import { expect, test } from 'vitest';
import { verifiedCertificate } from '../../../src/io/transports/verified-certificate.ts';

const certificate = { subject: { CN: 'ada' } } as unknown as PeerCertificate;
const socket = (authorized: boolean, shown: unknown) => ({
  authorized,
  getPeerCertificate: () => shown as PeerCertificate,
});

test.each([
  ['verified', true, certificate, certificate],
  ['not verified', false, certificate, undefined],
  ['called authorized with an empty one, as Node 20 does after a resumption', true, {}, undefined],
  ['called authorized without one', true, null, undefined],
])('%s', (_, authorized, shown, expected) => {
  expect(verifiedCertificate(socket(authorized, shown) as never)).toBe(expected);
});
