// Brings what the benchmark needs: the peers from npm, and the two C programs where there is a compiler.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const benchFolder = fileURLToPath(new URL('..', import.meta.url));
const inBench = (path) => `${benchFolder}${path}`;

export const programs = { loadgen: inBench('build/loadgen'), floor: inBench('build/floor') };
const sources = { loadgen: inBench('load/loadgen.c'), floor: inBench('servers/floor.c') };

/** Installs the peers when they are missing and compiles what is newer than its program. */
export function prepareBench(log) {
  if (!existsSync(inBench('node_modules/ws'))) {
    log('installing the peers (npm ci in bench/)');
    const npm = spawnSync('npm', ['ci'], { cwd: benchFolder, stdio: ['ignore', 2, 2] });
    if (npm.status !== 0) throw new Error('npm ci in bench/ failed');
  }
  mkdirSync(inBench('build'), { recursive: true });
  for (const name of Object.keys(programs)) compile(name, log);
  certify(log);
}

/** A key and a certificate for localhost, which the servers with TLS share. */
function certify(log) {
  if (hasCertificate()) return;
  const kind = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=localhost';
  const made = ['-keyout', inBench('build/key.pem'), '-out', inBench('build/cert.pem')];
  const openssl = spawnSync('openssl', ['req', ...kind.split(' '), ...made], { stdio: 'ignore' });
  if (openssl.status !== 0) log('no openssl: the rows with TLS cannot run');
}

export const hasCertificate = () => existsSync(inBench('build/cert.pem'));

function compile(name, log) {
  const [source, program] = [sources[name], programs[name]];
  if (existsSync(program) && statSync(program).mtimeMs >= statSync(source).mtimeMs) return;
  const cc = spawnSync('cc', ['-O2', '-Wall', '-o', program, source], { stdio: ['ignore', 2, 2] });
  if (cc.error) log(`no C compiler: ${name} is not built`);
  else if (cc.status !== 0) throw new Error(`cc failed on ${source}`);
}
