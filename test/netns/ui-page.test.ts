/**
 * The live page in a browser, by the real `weft ui` beside a running weftd: what it shows is what happens.
 *
 *   pod1 ── cni0 [ h1 ] u0 ──────────┬────────── u0 [ h2 ] cni0 ── pod2
 *            flannel0, weftd       [ net ]        flannel0, weftd
 */
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { execInNetns, type LabProcess, spawnInNetns } from '../../lib/lab/netns.ts';
import { startOverlay } from '../../lib/lab/overlay.ts';
import { startReadyDaemon, whenPeersAreKnown } from '../../lib/lab/ready-daemon.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { axe, withPage } from '../browser.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInLabs } from './labs.ts';

const { id, test } = testInLabs('k');
const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
/** Bytes of data of a ping: nobody else's is as long. */
const DATA = 321;

async function startUi(t: ExecutionContext, controlSocket: string): Promise<{ ui: LabProcess; url: string }> {
  const args = ['ui', '--listen', '127.0.0.1:0', '--control-socket', controlSocket];
  const ui = spawnInNetns(undefined, [process.execPath, WEFT, ...args]);
  t.true(await until(() => ui.stdout().includes('\n') || !ui.running(), PATIENCE_MS), ui.stderr());
  return { ui, url: ui.stdout().trim() };
}

/** Until a row of the list has these words: looks at those that are kept, whether they are seen or not. */
async function findPacket(
  t: ExecutionContext,
  page: Page,
  words: string,
  cause: () => Promise<unknown>,
): Promise<void> {
  await page.getByLabel('Filter packets by text').fill(words);
  const rows = page.locator('#packets .space .row:visible');
  const seen = async (): Promise<boolean> => {
    await cause();
    return (await rows.count()) > 0;
  };
  t.true(await until(seen, PATIENCE_MS), `no packet has "${words}"`);
  await rows.last().click();
}

test('a browser shows peers, a packet as it was sent, a dropped one with its reason, and weftd killed and back', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const { daemons, pods } = await startOverlay(lab);
    await whenPeersAreKnown(lab.hosts);
    const [h1, h2] = [lab.hosts[0]!, lab.hosts[1]!];
    const [from, to] = [pods[0]!.address, pods[1]!.address];
    const ping = (address: string) =>
      execInNetns(h1.podNetns, ['ping', '-n', '-c', '1', '-W', '1', '-s', String(DATA), address], {
        allowFailure: true,
      });
    const { ui, url } = await startUi(t, h1.controlSocket);
    try {
      await withPage(t, {}, async ({ page, complaints }) => {
        await page.goto(url);
        t.is(new URL(page.url()).search, '', 'the token has left the address bar');
        await page.locator('#state', { hasText: 'ready, packets can pass' }).waitFor();
        await page.locator('#peer-table .space .row', { hasText: h2.underlayAddress }).click();
        await page.locator('#selected dd', { hasText: h2.underlayAddress }).waitFor();

        const value = (header: string, field: string): Promise<string | null> =>
          page
            .locator('#detail .header', { has: page.locator('h3', { hasText: new RegExp(`^${header}`) }) })
            .locator('li', { has: page.getByText(field, { exact: true }) })
            .locator('.value')
            .first()
            .textContent();
        await findPacket(t, page, `echo request ${from} ${to}`, () => ping(to));
        await page.locator('#detail .verdict', { hasText: `sent to ${h2.underlayAddress}` }).waitFor();
        t.is(await value('IPv4', 'source'), h1.underlayAddress);
        t.is(await value('IPv4', 'destination'), h2.underlayAddress);
        t.is(await value('inner IPv4', 'source'), from);
        t.is(await value('inner IPv4', 'destination'), to);
        t.is(await value('inner IPv4', 'length'), String(20 + 8 + DATA));
        await page.getByRole('button', { name: /^Go on/ }).click();

        // Nobody has that subnet.
        const nowhere = '10.244.255.9';
        await findPacket(t, page, `no-route ${nowhere}`, () => ping(nowhere));
        await page.locator('#detail .verdict', { hasText: 'No peer holds the subnet of the destination' }).waitFor();
        await page.locator('.drops b', { hasText: 'no-route' }).waitFor();
        t.deepEqual(await axe(page), []);

        await daemons[0]!.stop('SIGKILL');
        await page.locator('#state', { hasText: 'weftd does not answer' }).waitFor();
        t.is(await page.locator('#peer-table .space .row:not([hidden])').count(), 1, 'the last values stay');
        const again = await startReadyDaemon(lab, h1);
        await page.locator('#state', { hasText: 'ready, packets can pass' }).waitFor();
        await page.locator('#link', { hasText: /^live$/ }).waitFor();
        t.deepEqual(complaints, []);
        await again.process.stop();
      });
    } finally {
      await ui.stop('SIGINT');
    }
  });
});
