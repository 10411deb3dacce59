/** Who a server is by TLS, and how it is renewed: all or nothing, with the sessions of its clients. */
import { X509Certificate } from 'node:crypto';
import net from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import {
  holdsCertificate,
  type ServerTlsOptions,
  TlsIdentity,
} from '../../../src/io/transports/tls-identity.ts';
import { Authority, hasOpenssl, skippedTls } from '../../support/certificates.ts';

describe.skipIf(!hasOpenssl)(`who a server is by TLS${skippedTls}`, () => {
  const authority = new Authority();
  const { ca } = authority;
  const first = authority.issue('localhost');
  const second = authority.issue('localhost');
  afterAll(() => authority.end());

  test('a certificate is known by its content, in PEM or DER', () => {
    expect([ca, new TextEncoder().encode(ca)].map(holdsCertificate)).toEqual([true, true]);
    expect(holdsCertificate(new X509Certificate(ca).raw)).toBe(true);
    expect(holdsCertificate(first.key)).toBe(false);
  });

  const open: { destroy(): void }[] = [];
  let server: net.Server | undefined;
  afterEach(async () => {
    for (const socket of open.splice(0)) socket.destroy();
    await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
    server = undefined;
  });

  /** Listens for this identity, sends each client one byte and closes. */
  async function serve(identity: TlsIdentity): Promise<number> {
    const failures: Error[] = [];
    identity.host = {
      secured: (socket) => void socket.end('x'),
      failed: (error) => void failures.push(error),
    };
    server = net.createServer((socket) => {
      open.push(socket);
      identity.handshake(socket);
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return (server.address() as net.AddressInfo).port;
  }

  interface Seen {
    readonly serial: string;
    readonly resumed: boolean;
    readonly session: Buffer | undefined;
    readonly protocol: TLSSocket['alpnProtocol'];
  }

  async function visit(port: number, options: tls.ConnectionOptions = {}): Promise<Seen> {
    const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca, ...options });
    open.push(socket);
    let session: Buffer | undefined;
    socket.on('session', (ticket) => {
      session = ticket;
    });
    let serial = '';
    socket.on('secureConnect', () => {
      serial = (socket.getPeerCertificate() as { serialNumber?: string }).serialNumber ?? '';
    });
    await new Promise((resolve, reject) => socket.resume().on('end', resolve).on('error', reject));
    return { serial, resumed: socket.isSessionReused(), session, protocol: socket.alpnProtocol };
  }

  function renew(identity: TlsIdentity, changes: ServerTlsOptions): void {
    identity.prepare(changes)();
  }

  test('a renewal counts for the next handshake', async () => {
    const identity = new TlsIdentity(first);
    const port = await serve(identity);
    const before = await visit(port);
    const change = identity.prepare(second);
    expect((await visit(port)).serial).toBe(before.serial);
    change();
    expect((await visit(port)).serial).not.toBe(before.serial);
  });

  test('sessions survive a renewal, unless ticketKeys or whom to trust change', async () => {
    const identity = new TlsIdentity(first);
    const port = await serve(identity);
    const { session } = await visit(port);
    expect(await visit(port, { session })).toMatchObject({ resumed: true });
    renew(identity, second);
    expect(await visit(port, { session })).toMatchObject({ resumed: true });
    renew(identity, { requestCert: true, rejectUnauthorized: false });
    expect(await visit(port, { session })).toMatchObject({ resumed: false });
    const { session: next } = await visit(port);
    expect(await visit(port, { session: next })).toMatchObject({ resumed: true });
    renew(identity, { ticketKeys: Buffer.alloc(48, 7) });
    expect(await visit(port, { session: next })).toMatchObject({ resumed: false });
  });

  test('a pair that does not match throws, at the start and at a renewal, and nothing changes', async () => {
    const mixed = { key: first.key, cert: second.cert };
    const mismatch = { code: 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' };
    expect(() => new TlsIdentity(mixed)).toThrow(expect.objectContaining(mismatch));
    const identity = new TlsIdentity(first);
    const port = await serve(identity);
    const { serial } = await visit(port);
    expect(() => identity.prepare(mixed)).toThrow(expect.objectContaining(mismatch));
    expect((await visit(port)).serial).toBe(serial);
  });

  test('ALPN is http/1.1, and a client that speaks h2 alone is refused', async () => {
    const port = await serve(new TlsIdentity(first));
    expect((await visit(port, { ALPNProtocols: ['h2', 'http/1.1'] })).protocol).toBe('http/1.1');
    await expect(visit(port, { ALPNProtocols: ['h2'] })).rejects.toThrow();
  });

  test('each host name may have a certificate of its own, by contexts or by SNICallback', async () => {
    const other = authority.issue('other.example');
    const ask = (port: number) => visit(port, { servername: 'other.example' });
    const one = await serve(new TlsIdentity({ ...first, contexts: { 'other.example': other } }));
    const { serial } = await ask(one);
    expect((await visit(one)).serial).not.toBe(serial);
    await new Promise((resolve) => server?.close(resolve));
    const SNICallback: ServerTlsOptions['SNICallback'] = (name, answer) =>
      answer(null, tls.createSecureContext(name === 'other.example' ? other : first));
    expect((await ask(await serve(new TlsIdentity({ SNICallback })))).serial).toBe(serial);
  });

  test('pfx takes the place of key and cert, and the other way round', () => {
    const identity = new TlsIdentity(first);
    expect(() => identity.prepare({ pfx: Buffer.from('no pfx') })).toThrow();
    expect(() => identity.prepare(second)()).not.toThrow();
  });
});

test('what is no content of a file holds no certificate', () => {
  for (const no of [undefined, null, 5, '', 'ca.pem', new Uint8Array(3), {}, []])
    expect(holdsCertificate(no)).toBe(false);
});
