/**
 * The option `tls` of a place, and its renewal: names, what must stand together, and what `node:tls` says about the rest.
 */
import type { SecureContextOptions } from 'node:tls';
import type { ServerTlsOptions } from '../../io/transports/tls-identity.ts';
import { ContextError, holdsCertificate, identityOf } from '../../server/places.ts';
import type { Place } from '../../server/settings.ts';
import { OptionError } from '../errors.ts';
import { checkNames, isObject, kindOf, refusal } from './checks.ts';

/** What is of one certificate: `node:tls.createSecureContext` takes it. Those that say which one come first. */
const TYPED_CONTEXT_NAMES = [
  'key',
  'cert',
  'pfx',
  'passphrase',
  'ca',
  'ciphers',
  'clientCertEngine',
  'crl',
  'dhparam',
  'ecdhCurve',
  'honorCipherOrder',
  'maxVersion',
  'minVersion',
  'privateKeyEngine',
  'privateKeyIdentifier',
  'secureOptions',
  'secureProtocol',
  'sessionIdContext',
  'sessionTimeout',
  'sigalgs',
  'ticketKeys',
] as const satisfies readonly (keyof SecureContextOptions)[];
const CONTEXT_NAMES: readonly string[] = [...TYPED_CONTEXT_NAMES, 'allowPartialTrustChain'];
/** What else `node:tls.createServer` takes. */
const TYPED_SERVER_NAMES = [
  'ALPNCallback',
  'ALPNProtocols',
  'SNICallback',
  'allowHalfOpen',
  'contexts',
  'enableTrace',
  'handshakeTimeout',
  'highWaterMark',
  'keepAlive',
  'keepAliveInitialDelay',
  'noDelay',
  'pauseOnConnect',
  'pskCallback',
  'pskIdentityHint',
  'rejectUnauthorized',
  'requestCert',
  'secureContext',
] as const satisfies readonly (keyof ServerTlsOptions)[];
/**
 * All that a place takes, with what versions of Node have that are newer than the types here. A name that is no option would be
 * ignored by Node, `requestCerts` too.
 */
const TLS_NAMES: readonly string[] = [
  ...[...TYPED_CONTEXT_NAMES, ...TYPED_SERVER_NAMES].sort(),
  'allowPartialTrustChain',
  'certificateCompression',
];

/** @throws OptionError for what is wrong with the option `name`. */
export function readTls(tls: unknown, name: string, handshakeDeadline: number): Place['tls'] {
  const options = checkTls(tls, name);
  const { key, pfx, SNICallback, pskCallback, contexts } = options;
  checkPair(name, options);
  const isSomebody = [key, pfx, SNICallback, pskCallback, contexts].some((one) => one !== undefined);
  if (!isSomebody) throw refusal(name, 'an object with at least key and cert, or pfx');
  return guardTls(() => identityOf({ handshakeTimeout: handshakeDeadline, ...options }), name);
}

/** @throws OptionError for what is no set of changes. */
export function readTlsChanges(changes: unknown): ServerTlsOptions {
  const options = checkTls(changes, 'tls');
  const isNothing = (value: unknown) =>
    value === undefined || (value === options.contexts && Object.keys(value).length === 0);
  if (Object.values(options).every(isNothing)) {
    throw refusal('tls', 'an object with what is new, such as { key, cert }');
  }
  if ((options.key === undefined) !== (options.cert === undefined)) {
    throw refusal(options.key === undefined ? 'tls.key' : 'tls.cert', 'key and cert together');
  }
  return options;
}

function checkTls(tls: unknown, name: string): ServerTlsOptions {
  // What it is may hold a key, so only its type is shown.
  if (!isObject(tls)) throw refusal(name, 'an object such as { key, cert }', `this is ${kindOf(tls)}`);
  checkNames(tls, TLS_NAMES, name, 'it takes what node:tls.createServer takes, and contexts');
  const options = tls as ServerTlsOptions;
  checkCa(`${name}.ca`, options.ca);
  if (options.contexts === undefined) return options;
  return { ...options, contexts: readContexts(`${name}.contexts`, options.contexts) };
}

const CONTEXTS = "an object of { key, cert } by host name, such as { '*.example.com': { key, cert } }";
/** One name of a host, with or without `*` as its first label. Others are asked for in ASCII (RFC 6066 3). */
const HOST = /^(?:\*\.)?[a-z\d_-]+(?:\.[a-z\d_-]+)*$/;

/** The contexts by their names in lower case, as clients are compared with them. */
function readContexts(name: string, contexts: unknown): Record<string, SecureContextOptions> {
  if (!isObject(contexts)) throw refusal(name, CONTEXTS, `this is ${kindOf(contexts)}`);
  const read: Record<string, SecureContextOptions> = {};
  for (const [given, context] of Object.entries(contexts as Record<string, unknown>)) {
    const [host, where] = [given.toLowerCase(), contextName(name, given)];
    if (!HOST.test(host))
      throw refusal(where, 'a host name such as example.com or *.example.com, without scheme and port');
    if (host in read) throw refusal(where, 'each host name once, in whatever case');
    if (!isObject(context)) throw refusal(where, CONTEXTS, `this is ${kindOf(context)}`);
    read[host] = checkContext(context, where);
  }
  return read;
}

function checkContext(context: object, where: string): SecureContextOptions {
  checkNames(
    context,
    CONTEXT_NAMES,
    where,
    `it has key and cert, or pfx, and ${CONTEXT_NAMES.slice(4).join(', ')}`,
  );
  const options = context as SecureContextOptions;
  checkPair(where, options);
  if (options.key === undefined && options.pfx === undefined)
    throw refusal(where, 'an object with at least key and cert, or pfx');
  checkCa(`${where}.ca`, options.ca);
  return options;
}

const contextName = (name: string, host: string) => `${name}[${JSON.stringify(host)}]`;

/** A key stands together with its certificate. */
function checkPair(name: string, { key, cert, pfx }: SecureContextOptions): void {
  if (key !== undefined && cert === undefined) throw refusal(`${name}.cert`, 'the certificate of key');
  if (cert !== undefined && key === undefined && pfx === undefined)
    throw refusal(`${name}.key`, 'the key of cert');
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
  } catch (thrown) {
    const isContext = thrown instanceof ContextError;
    const where = isContext ? contextName(`${name}.contexts`, thrown.host) : name;
    if (isContext && thrown.cause === undefined)
      throw refusal(
        where,
        'contexts or SNICallback',
        'the latter would decide alone, so give one of the two',
      );
    const error = (isContext ? thrown.cause : thrown) as NodeJS.ErrnoException;
    const { code = '', message } = error;
    const [option, why] = complaintOf(code, message, where);
    const refused = new OptionError(option, undefined, '', `option ${option}: ${why} (${code || message})`);
    throw Object.assign(refused, { cause: error });
  }
}

function complaintOf(code: string, message: string, name: string): [option: string, why: string] {
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH')
    return [`${name}.key`, `it is not the key of ${name}.cert`];
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
