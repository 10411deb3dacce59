/**
 * The option `tls` of a place, and its renewal: names, what must stand together, and what `node:tls` says about the rest.
 */
import type { ServerTlsOptions } from '../../io/transports/tls-identity.ts';
import { holdsCertificate, identityOf } from '../../server/places.ts';
import type { Place } from '../../server/settings.ts';
import { OptionError } from '../errors.ts';
import { checkNames, isObject, refusal } from './checks.ts';

/** What `node:tls.createServer` takes. A name that is no option of it would be ignored there, `requestCerts` too. */
const TYPED_NAMES = [
  'ALPNCallback',
  'ALPNProtocols',
  'SNICallback',
  'allowHalfOpen',
  'ca',
  'cert',
  'ciphers',
  'clientCertEngine',
  'contexts',
  'crl',
  'dhparam',
  'ecdhCurve',
  'enableTrace',
  'handshakeTimeout',
  'highWaterMark',
  'honorCipherOrder',
  'keepAlive',
  'keepAliveInitialDelay',
  'key',
  'maxVersion',
  'minVersion',
  'noDelay',
  'passphrase',
  'pauseOnConnect',
  'pfx',
  'privateKeyEngine',
  'privateKeyIdentifier',
  'pskCallback',
  'pskIdentityHint',
  'rejectUnauthorized',
  'requestCert',
  'secureContext',
  'secureOptions',
  'secureProtocol',
  'sessionIdContext',
  'sessionTimeout',
  'sigalgs',
  'ticketKeys',
] as const satisfies readonly (keyof ServerTlsOptions)[];
/** With those of versions of Node that are newer than the types here. */
const TLS_NAMES: readonly string[] = [...TYPED_NAMES, 'allowPartialTrustChain', 'certificateCompression'];

/** @throws OptionError for what is wrong with the option `name`. */
export function readTls(tls: unknown, name: string, handshakeDeadline: number): Place['tls'] {
  const options = checkTls(tls, name);
  const { key, cert, pfx, SNICallback, pskCallback, contexts } = options;
  if (key !== undefined && cert === undefined) throw refusal(`${name}.cert`, 'the certificate of key');
  if (cert !== undefined && key === undefined && pfx === undefined)
    throw refusal(`${name}.key`, 'the key of cert');
  const isSomebody = [key, pfx, SNICallback, pskCallback, contexts].some((one) => one !== undefined);
  if (!isSomebody) throw refusal(name, 'an object with at least key and cert, or pfx');
  return guardTls(() => identityOf({ handshakeTimeout: handshakeDeadline, ...options }), name);
}

/** @throws OptionError for what is no set of changes. */
export function readTlsChanges(changes: unknown): ServerTlsOptions {
  const options = checkTls(changes, 'tls');
  if (Object.values(options).every((value) => value === undefined)) {
    throw refusal('tls', 'an object with what is new, such as { key, cert }');
  }
  if ((options.key === undefined) !== (options.cert === undefined)) {
    throw refusal(options.key === undefined ? 'tls.key' : 'tls.cert', 'key and cert together');
  }
  return options;
}

function checkTls(tls: unknown, name: string): ServerTlsOptions {
  if (!isObject(tls)) throw new OptionError(name, typeof tls, 'an object such as { key, cert }');
  checkNames(tls, TLS_NAMES, name, 'it takes what node:tls.createServer takes, and contexts');
  const options = tls as ServerTlsOptions;
  checkCa(`${name}.ca`, options.ca);
  checkContexts(`${name}.contexts`, options.contexts);
  return options;
}

function checkContexts(name: string, contexts: unknown): void {
  if (contexts === undefined) return;
  const allowed = "an object of { key, cert } by host name, such as { '*.example.com': { key, cert } }";
  if (!isObject(contexts)) throw new OptionError(name, contexts, allowed);
  for (const [host, context] of Object.entries(contexts as Record<string, unknown>)) {
    if (!isObject(context)) throw refusal(`${name}[${JSON.stringify(host)}]`, allowed);
    checkCa(`${name}[${JSON.stringify(host)}].ca`, (context as { ca?: unknown }).ca);
  }
}

/** OpenSSL passes over what is no certificate: then nobody is trusted, or nobody more than before, without a word. */
function checkCa(name: string, ca: unknown): void {
  for (const one of ca === undefined ? [] : [ca].flat()) {
    if (holdsCertificate(one)) continue;
    const allowed = "the text of PEM files with certificates, such as readFileSync('ca.pem')";
    throw new OptionError(
      name,
      undefined,
      allowed,
      `option ${name} has no certificate; allowed is ${allowed}`,
    );
  }
}

/**
 * Makes an OptionError of what `node:tls` throws. Neither the message nor the error has a key in it.
 * @throws OptionError
 */
export function guardTls<T>(work: () => T, name = 'tls'): T {
  try {
    return work();
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const [option, why] = complaintOf(code, message, name);
    const refused = new OptionError(option, undefined, '', `option ${option}: ${why} (${code || message})`);
    throw Object.assign(refused, { cause: error });
  }
}

function complaintOf(code: string, message: string, name: string): [option: string, why: string] {
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') return [`${name}.key`, 'it is not the key of tls.cert'];
  if (/passphrase|BAD_DECRYPT|BAD_PASSWORD|mac verify failure/i.test(code + message)) {
    return [`${name}.passphrase`, 'it does not open the key'];
  }
  if (/NO_START_LINE|UNSUPPORTED|ASN1|PEM|HEADER_TOO_LONG|not enough data|too long/i.test(code + message)) {
    return [
      name,
      "key, cert or pfx cannot be read; allowed is the content of its file, such as readFileSync('key.pem')",
    ];
  }
  return [name, `node:tls does not take it: ${message}`];
}
