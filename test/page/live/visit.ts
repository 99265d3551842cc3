/** The live page, opened from a server of the test. */
import type { ExecutionContext } from 'ava';
import { until } from '../../../lib/lab/until.ts';
import { type Visit, withPage } from '../../browser.ts';
import { PATIENCE_MS } from '../../patience.ts';
import { batch, detail, hello, lines, pastTick, peer, status, TOTAL, tick, withHealth } from './scene.ts';
import { type PageEvent, PageServer } from './server.ts';

export interface LiveVisit extends Visit {
  readonly server: PageServer;
  /** Texts of the elements that a selector finds, and that are laid out. */
  readonly texts: (selector: string) => Promise<string[]>;
  /** Waits until an expression of the page is true. */
  readonly until: (expression: string) => Promise<void>;
}

/** `welcome` is what the page is told when it connects. */
export async function withLivePage(
  t: ExecutionContext,
  options: Parameters<typeof withPage>[1],
  welcome: readonly PageEvent[],
  body: (visit: LiveVisit) => Promise<void>,
): Promise<void> {
  const server = new PageServer();
  server.welcome = welcome;
  await server.listen();
  try {
    await withPage(t, options, async (visit) => {
      const { page } = visit;
      await page.goto(server.url);
      await body({
        ...visit,
        server,
        texts: (selector) =>
          page.evaluate(
            `[...document.querySelectorAll(${JSON.stringify(selector)})].filter((e) => e.checkVisibility()).map((e) => e.textContent)`,
          ),
        // Not waitForFunction: it makes code of text, which the page's policy refuses.
        until: async (expression) => {
          t.true(await until(async () => Boolean(await page.evaluate(expression)), PATIENCE_MS), expression);
        },
      });
    });
  } finally {
    await server.close();
  }
}

/** Twelve peers, three of them in trouble. */
export const TWELVE_PEERS = Array.from({ length: 12 }, (_, k) => {
  if (k === 3) return withHealth(peer(k), { loss: 0.1 });
  if (k === 7) return withHealth(peer(k), { loss: 1, rttMs: null });
  return k === 9 ? { ...peer(k), note: 'ignored: its backend type is vxlan, ours is udp' } : peer(k);
});

/** A network of them, five with traffic; ids of packets are 1 to 200. */
export const TWELVE: readonly PageEvent[] = [
  [
    'hello',
    hello({ history: Array.from({ length: 300 }, (_, k) => pastTick(k - 300, 5)), packets: batch(lines(1, 200)) }),
  ],
  ['status', status({ peers: 12, alarms: ['Peer 192.0.2.9 does not answer'] })],
  ['peers', { changed: TWELVE_PEERS, gone: [] }],
  ['tap', null],
  ['tick', { ...tick(0, 5, { 'no-route': 7 }), total: TOTAL }],
];

export function answerPackets(server: PageServer, from: number, count: number): void {
  for (const each of lines(from, count)) server.details.set(each.id, detail(each));
}
