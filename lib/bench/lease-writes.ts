/**
 * A program of its own, in etcd's network namespace: writes the leases of nodes that do not exist, at a rate, or deletes them.
 * It speaks etcd's JSON gateway (etcd 3.4 and later, /v3/kv/txn). What it is asked is JSON on
 * standard input; it prints nothing.
 */
import { readFileSync, writeSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../error.ts';

export interface LeaseWrites {
  /** "http://192.0.2.250:2379" */
  readonly endpoint: string;
  readonly writes: readonly { readonly key: string /** null deletes. */; readonly value: string | null }[];
  /** null: as fast as etcd takes them. */
  readonly perSecond: number | null;
}

/** etcd's own limit (--max-txn-ops). */
const MOST_A_TXN = 128;
const TICK_MS = 10;

const agent = new Agent({ keepAlive: true });

function transact(endpoint: string, writes: LeaseWrites['writes']): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const success = writes.map(({ key, value }) =>
    value === null
      ? { requestDeleteRange: { key: base64(key) } }
      : { requestPut: { key: base64(key), value: base64(value) } },
  );
  return new Promise((resolve, reject) => {
    const post = request(`${endpoint}/v3/kv/txn`, { method: 'POST', agent }, (response) => {
      response.resume();
      response.on('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`etcd answered with status ${response.statusCode}`)),
      );
    });
    post.on('error', reject);
    post.end(JSON.stringify({ success }));
  });
}

async function write({ endpoint, writes, perSecond }: LeaseWrites): Promise<void> {
  const start = performance.now();
  for (let done = 0; done < writes.length; ) {
    const due = perSecond === null ? writes.length : Math.floor(((performance.now() - start) / 1000) * perSecond) + 1;
    const chunk = writes.slice(done, Math.min(due, done + MOST_A_TXN));
    if (chunk.length > 0) await transact(endpoint, chunk);
    done += chunk.length;
    if (perSecond !== null) await delay(TICK_MS);
  }
  agent.destroy();
}

try {
  await write(JSON.parse(readFileSync(0, 'utf8')) as LeaseWrites);
} catch (error) {
  writeSync(2, `${messageOf(error)}\n`);
  process.exitCode = 1;
}
