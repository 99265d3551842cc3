import { EtcdLeaseStore } from '../store/etcd-store.ts';
import { readTlsFiles } from '../store/etcd-tls.ts';
import type { LeaseStore } from '../store/store.ts';
import type { Log } from './log.ts';
import type { EtcdOptions } from './options.ts';

/** The store of the command line: etcd. Connects when it is asked first. Throws WeftError STORE_OPTIONS_INVALID. */
export function openStore(etcd: EtcdOptions, log: Log): LeaseStore {
  return new EtcdLeaseStore({
    endpoints: etcd.endpoints,
    prefix: etcd.prefix,
    username: etcd.username,
    password: etcd.password,
    tls: readTlsFiles(etcd),
    renewMarginMs: etcd.renewMarginMs,
    log,
    random: Math.random,
    now: Date.now,
  });
}
