// A certificate for a server of one run, signed by an authority of its own. Needs the `openssl` of the machine.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RealServerError } from '../../../libs/rocketmq/src/cli/server/jars.js';

/**
 * @param folder where the files are written
 * @returns all PEM
 * @throws RealServerError when openssl is missing or fails
 */
export function makeServerCertificate(folder: string): { keyFile: string; certFile: string; caFile: string } {
  const file = (name: string) => join(folder, name);
  const files = { keyFile: file('server.key'), certFile: file('server.crt'), caFile: file('ca.crt') };
  // The last is OTHER_NAME of test/fixtures/certificates.ts.
  writeFileSync(file('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:rocketmq.test\n');
  const newKey = ['req', '-newkey', 'rsa:2048', '-nodes', '-keyout'];
  openssl(...newKey, file('ca.key'), '-x509', '-days', '2', '-subj', '/CN=authority of a run', '-out', files.caFile);
  openssl(...newKey, files.keyFile, '-subj', '/CN=server of a run', '-out', file('server.csr'));
  const by = ['-CA', files.caFile, '-CAkey', file('ca.key'), '-CAcreateserial'];
  openssl(
    'x509',
    '-req',
    '-in',
    file('server.csr'),
    ...by,
    '-days',
    '2',
    '-extfile',
    file('names'),
    '-out',
    files.certFile,
  );
  return files;
}

function openssl(...args: string[]): void {
  try {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (cause) {
    throw new RealServerError(
      `"openssl ${args[0]}" failed; it is needed to create the certificate of the secured server`,
      { cause },
    );
  }
}
