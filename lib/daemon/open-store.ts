import { uptime } from 'node:os';
import type { Log } from '../log.ts';
import { EtcdLeaseStore } from '../store/etcd/store.ts';
import { hasTlsFiles, readTlsFiles } from '../store/etcd/tls.ts';
import type { LeaseStore } from '../store/store.ts';
import type { EtcdOptions } from './cmdline/options.ts';

/** The store of one network: its prefix in etcd, on a connection of its own. Connects when it is asked first. Throws WeftError STORE_OPTIONS_INVALID. */
export function openStore(etcd: EtcdOptions, prefix: string, log: Log): LeaseStore {
  return new EtcdLeaseStore({
    endpoints: etcd.endpoints,
    prefix,
    username: etcd.username,
    password: etcd.password,
    tls: hasTlsFiles(etcd) ? () => readTlsFiles(etcd) : undefined,
    renewMarginMs: etcd.renewMarginMs,
    log,
    random: Math.random,
    now: Date.now,
    // CLOCK_BOOTTIME, which goes on while the machine is suspended.
    uptime: () => uptime() * 1000,
  });
}
