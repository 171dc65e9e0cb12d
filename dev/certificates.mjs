/**
 * @module dev/certificates
 *
 * Certificates of one run for TLS servers, made with openssl: an authority, a server (localhost, 127.0.0.1) and a client. Valid for two days.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findOpenssl } from './binaries.mjs';

/** Writes ca.crt and, for server and client, .crt, .key and .pem (both in one file, as mongod wants it) into a folder. */
export async function makeCertificates(folder) {
  const openssl = await findOpenssl();
  const run = (...args) => execFileSync(openssl, args, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  run('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=mooring test authority');
  writeFileSync(join(folder, 'names.cnf'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  for (const name of ['server', 'client']) {
    run('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const sign = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names.cnf'];
    run('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, ...sign);
    const both = ['crt', 'key'].map((kind) => readFileSync(join(folder, `${name}.${kind}`), 'utf8'));
    writeFileSync(join(folder, `${name}.pem`), both.join(''), { mode: 0o600 });
  }
}
