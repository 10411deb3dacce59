/**
 * Certificates for tests, made by the real `openssl` in a temporary folder: an authority, servers and clients of it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Tests of TLS are skipped by this name where there is no `openssl`. */
export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
export const skippedTls = hasOpenssl ? '' : ' (skipped: there is no openssl)';

export interface Pair {
  readonly key: string;
  readonly cert: string;
}

export class Authority {
  readonly #folder = mkdtempSync(join(tmpdir(), 'portal-ca-'));
  /** The certificate of the authority. */
  readonly ca: string;

  constructor(name = 'Portal test CA') {
    const made = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
    ];
    this.#openssl(...made, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', `/CN=${name}`);
    this.ca = this.#read('ca.pem');
  }

  /** A key, and its certificate for these host names. The first is its common name. */
  issue(...names: string[]): Pair {
    return this.#issue(['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], names);
  }

  /** The same with a key of RSA. */
  issueRsa(...names: string[]): Pair {
    return this.#issue(['-newkey', 'rsa:2048'], names);
  }

  #issue(kind: string[], names: string[]): Pair {
    const [commonName = 'localhost'] = names;
    const alternatives = names
      .map((name) => (/^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`))
      .join(',');
    writeFileSync(join(this.#folder, 'names'), `subjectAltName=${alternatives || 'DNS:localhost'}\n`);
    this.#openssl(
      'req',
      ...kind,
      '-nodes',
      '-keyout',
      'one.key',
      '-out',
      'one.csr',
      '-subj',
      `/CN=${commonName}`,
    );
    const signed = [
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'names',
    ];
    this.#openssl('x509', '-req', '-in', 'one.csr', ...signed, '-out', 'one.pem');
    return { key: this.#read('one.key'), cert: this.#read('one.pem') };
  }

  #openssl(...words: string[]): void {
    execFileSync('openssl', words, { cwd: this.#folder, stdio: 'pipe' });
  }

  #read(name: string): string {
    return readFileSync(join(this.#folder, name), 'utf8');
  }

  /** Removes what was made. */
  end(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
