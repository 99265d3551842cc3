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

/** Reads the files that are given; undefined when none is. Throws WeftError STORE_OPTIONS_INVALID naming the file. */
export function readTlsFiles(files: EtcdTlsFiles): EtcdTls | undefined {
  const { caFile, certFile, keyFile } = files;
  if (!caFile && !certFile && !keyFile) return undefined;
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
export function secureContext(tls: EtcdTls): SecureContext {
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
