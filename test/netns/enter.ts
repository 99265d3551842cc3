import { existsSync } from 'node:fs';
import anyTest, { type ExecutionContext } from 'ava';
import { check } from '../../lib/sys/errno.ts';
import { unshare } from '../../lib/sys/ffi.ts';
import { RouteNetlink } from '../../lib/sys/netlink/rtnetlink.ts';

/** clone(2) flag for setns and unshare. */
export const CLONE_NEWNET = 0x40000000;

export type NetnsTest = (title: string, body: (t: ExecutionContext) => void | Promise<void>) => void;

/**
 * For tests that change the network: one line at the top of a test file,
 *
 *   const test = testInFreshNamespace();
 *
 * moves the process's main thread into a network namespace of its own with nothing but a loopback device that is up, and
 * returns a serial `test`. Sockets opened and programs started from now on live in it. It has no name and ends with the
 * process, however that ends. Threads of libuv's pool stay outside: no DNS.
 *
 * Without root the tests are skipped, and the reason is printed.
 */
export function testInFreshNamespace(): NetnsTest {
  const reason = whySkipped();
  if (reason !== undefined) {
    process.stderr.write(`Skipping tests in network namespaces: ${reason}\n`);
    return (title) => anyTest.skip(title, () => {});
  }
  check(unshare(CLONE_NEWNET), 'unshare', 'network namespace');
  const netlink = RouteNetlink.open();
  netlink.setLinkUp(1);
  netlink.close();
  return (title, body) => anyTest.serial(title, body);
}

/** Undefined when tests may make namespaces. */
export function whySkipped(): string | undefined {
  if (process.geteuid?.() !== 0) return 'not root';
  return existsSync('/proc/self/ns/net') ? undefined : 'the kernel has no network namespaces';
}
