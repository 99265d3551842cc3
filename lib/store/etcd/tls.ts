import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { messageOf, WeftError } from '../../error.ts';

/** PEM contents. Without `ca` the certificate authorities that Node.js brings are trusted. */
export interface EtcdTls {
  readonly ca?: string | undefined;
  /** The client's certificate and key: both or none. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Paths of flannel's --etcd-cafile, --etcd-certfile, --etcd-keyfile; '' or undefined for not given. */
export interface EtcdTlsFiles {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** Whether any is given: then endpoints without a scheme are https. */
export function hasTlsFiles({ caFile, certFile, keyFile }: EtcdTlsFiles): boolean {
  return [caFile, certFile, keyFile].some((file) => file !== undefined && file !== '');
}

/** Reads the files that are given. Throws WeftError STORE_OPTIONS_INVALID naming the file. */
export function readTlsFiles({ caFile, certFile, keyFile }: EtcdTlsFiles): EtcdTls {
  return { ca: readPem(caFile), cert: readPem(certFile), key: readPem(keyFile) };
}

function readPem(file: string | undefined): string | undefined {
  if (!file) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new WeftError('STORE_OPTIONS_INVALID', `Cannot read TLS file: ${messageOf(error)}`, { cause: error });
  }
}

/** Throws WeftError STORE_OPTIONS_INVALID when certificate and key do not belong together or are not PEM. */
function secureContext(tls: EtcdTls): SecureContext {
  if ((tls.cert === undefined) !== (tls.key === undefined))
    throw new WeftError('STORE_OPTIONS_INVALID', 'A TLS client certificate needs its key, and a key its certificate', {
      hint: 'give both --etcd-certfile and --etcd-keyfile, or neither (--etcd-cafile alone is enough for https)',
    });
  try {
    return createSecureContext({
      ...(tls.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls.cert === undefined ? {} : { cert: tls.cert, key: tls.key }),
      minVersion: 'TLSv1.2',
    });
  } catch (error) {
    throw new WeftError('STORE_OPTIONS_INVALID', `TLS files are not usable: ${messageOf(error)}`, { cause: error });
  }
}

/** TLS as it is at each connection: certificates are renewed on disk while a daemon runs, and the old ones run out. */
export class TlsSource {
  readonly #read: () => EtcdTls;
  #tls: EtcdTls;
  #context: SecureContext;
  #problem: WeftError | undefined;

  /** Throws WeftError STORE_OPTIONS_INVALID. */
  constructor(read: () => EtcdTls) {
    this.#read = read;
    this.#tls = read();
    this.#context = secureContext(this.#tls);
  }

  /** Reads again. What cannot be used, as half a renewal, leaves in force what was read before; `problem` says so. */
  context(): SecureContext {
    try {
      const tls = this.#read();
      if (tls.ca !== this.#tls.ca || tls.cert !== this.#tls.cert || tls.key !== this.#tls.key)
        this.#context = secureContext(tls);
      this.#tls = tls;
      this.#problem = undefined;
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      this.#problem = error;
    }
    return this.#context;
  }

  /** Why the last reading was in vain; undefined when it was not. */
  get problem(): WeftError | undefined {
    return this.#problem;
  }
}
