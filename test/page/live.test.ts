/** The live page of `weft ui` in a browser, told by a server of the test: what it draws is compared with what it was told. */
import test, { type ExecutionContext } from 'ava';
import { axe, type Visit, withPage } from '../browser.ts';
import { batch, detail, hello, lines, pastTick, peer, status, TOTAL, tick, withHealth } from './live/scene.ts';
import { type PageEvent, PageServer } from './live/server.ts';

async function withLivePage(
  t: ExecutionContext,
  options: Parameters<typeof withPage>[1],
  welcome: readonly PageEvent[],
  body: (visit: Visit, server: PageServer) => Promise<void>,
): Promise<void> {
  const server = new PageServer();
  server.welcome = welcome;
  await server.listen();
  try {
    await withPage(t, options, async (visit) => {
      await visit.page.goto(server.url);
      await visit.page.getByText('live', { exact: true }).waitFor();
      await body(visit, server);
    });
  } finally {
    await server.close();
  }
}

/** Texts of the elements that a selector finds, and that are seen. */
function texts({ page }: Visit, selector: string): Promise<string[]> {
  return page.evaluate(
    `[...document.querySelectorAll(${JSON.stringify(selector)})].filter((e) => e.checkVisibility()).map((e) => e.textContent)`,
  );
}

const PEERS = Array.from({ length: 12 }, (_, k) => peer(k));
PEERS[3] = withHealth(PEERS[3]!, { loss: 0.1 });
PEERS[7] = withHealth(PEERS[7]!, { loss: 1, rttMs: null });
PEERS[9] = { ...PEERS[9]!, note: 'ignored: its backend type is vxlan, ours is udp' };

/** A network of twelve peers, five with traffic. */
const TWELVE: readonly PageEvent[] = [
  [
    'hello',
    hello({ history: Array.from({ length: 300 }, (_, k) => pastTick(k - 300, 5)), packets: batch(lines(1, 200)) }),
  ],
  ['status', status({ peers: 12, alarms: ['Peer 192.0.2.9 does not answer'] })],
  ['peers', { changed: PEERS, gone: [] }],
  ['tap', null],
  ['tick', { ...tick(0, 5, { 'no-route': 7 }), total: TOTAL }],
];

for (const colorScheme of ['light', 'dark'] as const)
  test(`what the page shows is what it was told, and axe has nothing to say: ${colorScheme}`, async (t) => {
    await withLivePage(t, { colorScheme }, TWELVE, async (visit, server) => {
      const { page, complaints } = visit;
      for (const each of lines(1, 200)) server.details.set(each.id, detail(each));
      await page.getByText('12 peers, sorted by traffic').waitFor();
      await page.locator('#packet-0').waitFor();
      t.deepEqual(await texts(visit, '#state'), ['ready, packets can pass']);
      t.deepEqual(await texts(visit, '#alarms li'), ['Peer 192.0.2.9 does not answer']);
      const rows = await texts(visit, '#peer-table .space .row');
      t.is(rows.length, 12);
      t.regex(rows[0]!, /^10\.244\.1\.0\/24192\.0\.2\.2.* Mb\/s0\.20 ms0 %$/);
      t.true(rows.some((row) => row.startsWith('10.244.8.0/24192.0.2.9') && row.endsWith('no answer')));
      t.true(rows.some((row) => row.startsWith('10.244.10.0/24') && row.endsWith('ignored')));
      t.deepEqual(await texts(visit, '.drops b'), ['no-route', 'ttl-expired']);
      await page.locator('#packets .space .row', { hasText: 'no-route' }).last().click();
      await page.locator('#detail .verdict', { hasText: 'No peer holds the subnet' }).waitFor();
      t.is((await texts(visit, '#detail .header h3')).length, 6);
      t.deepEqual(await axe(page), []);
      t.deepEqual(complaints, []);
    });
  });
