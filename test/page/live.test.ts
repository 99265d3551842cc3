/** The live page of `weft ui` in a browser, told by a server of the test: what it draws is compared with what it was told. */
import test from 'ava';
import { until as untilTrue } from '../../lib/lab/until.ts';
import { axe } from '../browser.ts';
import { PATIENCE_MS } from '../patience.ts';
import { batch, hello, line, lines, peer, status, TOTAL, tick, withHealth } from './live/scene.ts';
import { answerPackets, TWELVE, withLivePage } from './live/visit.ts';

for (const colorScheme of ['light', 'dark'] as const)
  test(`what the page shows is what it was told, and axe has nothing to say: ${colorScheme}`, async (t) => {
    await withLivePage(t, { colorScheme }, TWELVE, async ({ page, server, complaints, requests, texts, until }) => {
      answerPackets(server, 1, 200);
      await until(`document.querySelectorAll('#peer-table .space .row').length === 12`);
      t.deepEqual(await texts('#host, #state'), ['h1', 'ready, packets can pass']);
      t.regex(
        (await texts('#about'))[0]!,
        /^udp on flannel0, MTU 1472 · over eth1, 192\.0\.2\.1 · up 1 h 2 min · weftd /,
      );
      t.deepEqual(await texts('#alarms li'), ['Peer 192.0.2.9 does not answer']);
      t.is(await page.title(), 'h1 – weft');

      const rows = await texts('#peer-table .space .row');
      const first = tick(0, 5).peers[0]!;
      const traffic = ((first.outboundBytes + first.inboundBytes) * 8) / 1e6;
      t.is(rows[0], `10.244.1.0/24192.0.2.2${traffic.toFixed(1)} Mb/s0.20 ms0 %`);
      t.true(rows.some((row) => row.startsWith('10.244.8.0/24192.0.2.9') && row.endsWith('no answer')));
      t.true(rows.some((row) => row.startsWith('10.244.10.0/24') && row.endsWith('ignored')));

      t.deepEqual(await texts('#nodes-said'), ['h1 and 12 peers, 5 with traffic now, 3 in trouble']);
      const drawn = (kind: string) =>
        page.evaluate(`(document.querySelector('.dots.${kind}').getAttribute('d').match(/M/g) ?? []).length`);
      t.deepEqual(await Promise.all(['idle', 'active', 'warn', 'bad'].map(drawn)), [5, 4, 2, 1]);
      const labels = await texts('#picture .labels text');
      t.is(labels.length, 12, 'all twelve have room');
      t.true(labels.includes('192.0.2.9no answer') && labels.includes('192.0.2.5loss 10 %'));

      const strips = await texts('.strip-head .values');
      t.regex(strips[0]!, /^out[\d,]+\/sin[\d,]+\/s$/);
      t.deepEqual(strips.slice(1), ['no-route7.0/s', 'median0.50 msp901.60 ms']);
      t.deepEqual(await texts('.drops li'), [
        'no-route7.0/s1,234No peer holds the subnet of the destination; the sender got an ICMP error',
        'ttl-expired0/s3TTL or hop limit of 1 or less; the sender got an ICMP error',
      ]);
      t.deepEqual(await texts('.direction:first-of-type tbody tr'), [
        'wake-up1.9 µs–7 %',
        'read7.4 µs1.5 µs29 %',
        'our code2.1 µs420 ns8 %',
        'send14.2 µs2.8 µs55 %',
      ]);
      t.is(
        (await texts('.offloads li')).at(-1),
        'udp-grooff: switched off by --udp-gro=falsemany datagrams from one peer are received as one',
      );
      const last = await texts('#packets .space .row');
      t.is(last.at(-1), `${line(200).time}←10.244.3.210.244.78.2echo request 200192.0.2.4`);
      t.true(last.length < 60, `${last.length} rows`);

      await page.locator('#packets .space .row', { hasText: 'no-route' }).last().click();
      await page.locator('#detail .verdict', { hasText: 'No peer holds the subnet' }).waitFor();
      t.is((await texts('#detail .header h3')).length, 6);
      t.deepEqual(await axe(page), []);
      t.deepEqual(complaints, []);
      t.true(
        requests.every((url) => url.startsWith(server.url)),
        requests.join(),
      );
    });
  });

test('what changes on the server changes on the page', async (t) => {
  await withLivePage(t, {}, TWELVE, async ({ server, page, texts, until }) => {
    await until(`document.querySelectorAll('#peer-table .space .row').length === 12`);
    server.send(
      ['peers', { changed: [withHealth(peer(0), { rttMs: 77.7 }), peer(40)], gone: [peer(9).subnet, peer(3).subnet] }],
      ['status', status({ state: 'degraded', alarms: ['The device flannel0 is down'] })],
    );
    await until(`document.querySelectorAll('#peer-table .space .row:not([hidden])').length === 11`);
    await page.locator('#state', { hasText: 'degraded' }).waitFor();
    t.deepEqual(await texts('#alarms li'), ['The device flannel0 is down']);
    t.true((await texts('#peer-table .row')).some((row) => row.includes('77.7 ms')));
    t.deepEqual(await texts('#nodes-said'), ['h1 and 11 peers, 4 with traffic now, 1 in trouble']);
    // A peer that is chosen in the picture is shown at the right, with its last minute.
    const spot = (await page.evaluate(`(() => {
      const [, x, y] = /M([\\d.]+) ([\\d.]+)m/.exec(document.querySelector('.dots.bad').getAttribute('d'));
      const box = document.querySelector('#picture svg').getBoundingClientRect();
      return [box.x + Number(x), box.y + Number(y)];
    })()`)) as [number, number];
    await page.mouse.click(...spot);
    await page.locator('#selected-title', { hasText: 'Peer 10.244.8.0/24' }).waitFor();
    t.true((await texts('#selected .note'))[0]?.startsWith('No answer to the last 10 probes through the tunnel.'));
    t.is(await page.locator('#peer-table .row[aria-selected="true"]').count(), 1);
    await page.getByRole('button', { name: 'Show this host' }).click();
    t.deepEqual(await texts('#selected-title'), ['This host, h1']);
  });
});

test('by keyboard alone: sorting, a peer, a packet, its fields and their bytes, and on', async (t) => {
  await withLivePage(t, {}, TWELVE, async ({ server, page, texts, until, complaints }) => {
    answerPackets(server, 1, 400);
    await until(`document.querySelectorAll('#packets .space .row').length > 0`);
    const focused = (): Promise<string> =>
      page.evaluate(`document.activeElement.ariaLabel ?? document.activeElement.textContent`);
    const tabTo = async (name: string): Promise<void> => {
      for (let k = 0; k < 40 && (await focused()) !== name; k++) await page.keyboard.press('Tab');
      t.is(await focused(), name);
    };
    await tabTo('RTT');
    await page.keyboard.press('Enter');
    t.regex((await texts('#peer-table .space .row'))[0]!, /^10\.244\.12\.0/);
    await page.keyboard.press('Enter');
    t.regex((await texts('#peer-table .space .row'))[0]!, /^10\.244\.1\.0/);
    await page.keyboard.press('Shift+Tab');
    for (let k = 0; k < 40 && (await focused()) !== 'Peers'; k++) await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.locator('#selected-title', { hasText: 'Peer 10.244.2.0/24' }).waitFor();

    await tabTo('Packets');
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    t.is(await page.locator('#packets .row[aria-selected="true"] .c0').textContent(), line(198).time);
    t.is(
      await page.evaluate(
        `document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).querySelector('.c0').textContent`,
      ),
      line(198).time,
    );
    await page.locator('#detail .points', { hasText: line(198).time }).waitFor();
    server.send(['packets', batch(lines(201, 5))]);
    await page.getByRole('button', { name: 'Go on, 5 new' }).waitFor();

    await page.keyboard.press('Enter');
    t.is(await focused(), 'destination not known');
    for (let k = 0; k < 3; k++) await page.keyboard.press('ArrowRight');
    t.is(await focused(), 'version 4');
    t.deepEqual(await texts('#detail .hex .marked'), ['45']);
    for (let k = 0; k < 9; k++) await page.keyboard.press('ArrowDown');
    t.is(await focused(), 'source 192.0.2.1');
    t.deepEqual(await texts('#detail .hex .marked'), ['c0 00 02 01']);
    // The other way round: bytes that are pointed at mark their field.
    await page.locator('#detail .header').nth(3).locator('.hex span', { hasText: '3e' }).hover();
    t.deepEqual(await texts('#detail .fields .marked'), ['TTL 62']);

    await page.keyboard.press('Escape');
    t.is(await focused(), 'Packets', 'back in the list');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    t.is((await texts('#packets .space .row .c0')).at(-1), line(205).time);
    t.deepEqual(complaints, []);
  });
});

test('1,000 peers and 5,000 packets: only what is seen is an element', async (t) => {
  const peers = Array.from({ length: 1000 }, (_, k) => (k % 50 === 49 ? withHealth(peer(k), { loss: 0.2 }) : peer(k)));
  const welcome = [
    ['hello', hello({ packets: batch(lines(1, 5000), { sample: 100, lost: 7, skipped: 1234 }) })],
    ['status', status({ peers: 1000 })],
    ['peers', { changed: peers, gone: [] }],
    ['tap', null],
    ['tick', { ...tick(0, 60), total: TOTAL }],
  ] as const;
  await withLivePage(t, {}, welcome, async ({ server, page, texts, until, complaints }) => {
    await until(
      `document.querySelector('#nodes-said').textContent === 'h1 and 1,000 peers, 60 with traffic now, 20 in trouble'`,
    );
    const count = (selector: string): Promise<number> => page.locator(selector).count();
    t.true((await count('#peer-table .row')) < 40);
    t.true((await count('#packets .row')) < 50);
    t.true((await count('#picture *')) < 150);
    const labels = await texts('#picture .labels text');
    t.true(labels.length >= 10 && labels.length <= 24, `${labels.length} labels`);
    t.true(labels.filter((label) => label.includes('loss 20 %')).length >= 5, 'the troubled first');
    t.is(await page.locator('#peer-table [role=grid]').getAttribute('aria-rowcount'), '1000');
    t.true(
      (await texts('#packet-list .said'))[0]!.startsWith(
        'One of 100 forwarded packets is shown, and all that are dropped, flooded or answered. 5,000 packets are kept here; 7 were lost on the way here, 1,234 were left out, too many at once.',
      ),
    );
    await page.getByRole('button', { name: 'Subnet' }).click();
    await page.evaluate(
      `(() => { const list = document.querySelector('#peer-table .rows'); list.scrollTop = list.scrollHeight; })()`,
    );
    await page.locator('#peer-table .row', { hasText: peer(999).subnet }).waitFor();
    t.true((await count('#peer-table .row')) < 40);

    // Scrolling up stops the list where it is; what comes is counted, and a button leads there.
    const list = page.locator('#packets .rows');
    await list.hover();
    const goOn = page.getByRole('button', { name: 'Go on' });
    const old = new Set(lines(1, 5000).map(({ time }) => time));
    const turned = async (): Promise<boolean> => {
      await page.mouse.wheel(0, -600);
      return await goOn.isVisible();
    };
    // More than once: a scroll that a busy machine draws long after the wheel was turned is not taken for the reader's.
    t.true(await untilTrue(turned, PATIENCE_MS));
    for (let k = 0; k < 4; k++) server.send(['packets', batch(lines(5001 + 250 * k, 250))]);
    await page.getByRole('button', { name: 'Go on, 1,000 new' }).waitFor();
    t.true((await texts('#packets .space .row .c0')).every((time) => old.has(time)));
    await page.getByRole('button', { name: 'Go on, 1,000 new' }).click();
    t.is((await texts('#packets .space .row .c0')).at(-1), line(6000).time);

    await page.getByLabel('Filter packets by text').fill('echo 192.0.2.3');
    t.true((await texts('#packets .space .row')).every((row) => row.includes('echo') && row.includes('192.0.2.3')));
    await page.getByLabel('Filter packets by text').fill('nothing like this');
    await page.getByText('No packet that is kept fits the filter.').waitFor();
    await page.getByLabel('Filter packets by text').fill('');
    await page.getByLabel('Verdict').selectOption('dropped');
    t.true((await texts('#packets .space .row .c6')).every((verdict) => verdict === 'no-route'));
    t.deepEqual(complaints, []);
  });
});
