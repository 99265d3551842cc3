/** Certificates for tests, made by openssl in a temporary directory. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate authority with its own directory. */
export class Authority {
  readonly directory = mkdtempSync(join(tmpdir(), `weft-ca-${process.pid}-`));
  readonly certFile = join(this.directory, 'ca.pem');
  readonly #keyFile = join(this.directory, 'ca.key');
  #issued = 0;

  constructor(name: string) {
    const subject = `/CN=${name}`;
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', this.#keyFile];
    openssl('req', '-x509', ...key, '-days', '2', '-subj', subject, '-out', this.certFile);
  }

  get cert(): string {
    return readFileSync(this.certFile, 'utf8');
  }

  /** Issues a certificate. `names`: subjectAltName such as "IP:127.0.0.1". `days` 0 makes one that has just expired. */
  issue(names: string, days = 2): { certFile: string; keyFile: string; cert: string; key: string } {
    const base = join(this.directory, `issued-${++this.#issued}`);
    const [keyFile, certFile, request, extensions] = ['key', 'pem', 'csr', 'ext'].map((end) => `${base}.${end}`) as [
      string,
      string,
      string,
      string,
    ];
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
    openssl('req', ...key, '-subj', '/CN=issued', '-out', request);
    const signer = ['-CA', this.certFile, '-CAkey', this.#keyFile, '-CAcreateserial'];
    openssl('x509', '-req', '-in', request, ...signer, '-days', String(days), '-extfile', extensions, '-out', certFile);
    return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'ignore'] });
}
