import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A private key and its certificate, in PEM. */
export interface KeyPair {
  readonly key: Buffer;
  readonly cert: Buffer;
}

/** A certificate authority, made with OpenSSL. */
export class CertificateAuthority implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  #issued = 0;

  constructor() {
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=Test CA'];
    this.#openssl(...request, '-keyout', 'ca.key', '-out', 'ca.pem');
  }

  /** Path of the certificate, for `NODE_EXTRA_CA_CERTS`. */
  get file(): string {
    return join(this.#folder, 'ca.pem');
  }

  /** @param days days until the certificate expires; -1 for a certificate that expired yesterday */
  issue(host: string, days: number): KeyPair {
    const name = String(++this.#issued);
    this.#openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      `/CN=${host}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    writeFileSync(join(this.#folder, `${name}.ext`), `subjectAltName=DNS:${host}\n`);
    const by = [
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      String(days),
      '-extfile',
      `${name}.ext`,
    ];
    this.#openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.pem`);
    const [key, cert] = [`${name}.key`, `${name}.pem`].map((file) => readFileSync(join(this.#folder, file)));
    return { key: key ?? Buffer.alloc(0), cert: cert ?? Buffer.alloc(0) };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: 'ignore' });
  }
}
