/** The live page of `weft ui` where things are not as they should be: nobody there, nothing to see, text that is none. */
import test from 'ava';
import { axe } from '../browser.ts';
import { WAITING } from '../cli/replies.ts';
import { batch, detail, hello, line, lines, peer, status, TOTAL, tick } from './live/scene.ts';
import type { PageEvent } from './live/server.ts';
import { TWELVE, TWELVE_PEERS, withLivePage } from './live/visit.ts';

const GONE = { text: 'Cannot ask weftd at /run/weft/weft.sock: connection refused', hint: 'Is weftd running?' };

test('the daemon goes, its last values stay in grey, and it comes back by itself; so does the server', async (t) => {
  await withLivePage(t, {}, TWELVE, async ({ page, server, texts, until, complaints }) => {
    await page.locator('#link', { hasText: /^live$/ }).waitFor();
    server.send(['gone', GONE]);
    await page.locator('#state', { hasText: 'weftd does not answer' }).waitFor();
    t.deepEqual(await texts('#link'), ['waiting for weftd']);
    t.deepEqual(await texts('#alarms li'), [`${GONE.text}. ${GONE.hint}`]);
    t.is((await texts('#peer-table .space .row')).length, 12);
    t.is(await page.evaluate(`getComputedStyle(document.querySelector('main')).filter`), 'grayscale(1)');
    t.deepEqual(await axe(page), []);
    server.send(['status', status({ peers: 12 })], ['tick', tick(1, 5)]);
    await page.locator('#state', { hasText: 'ready, packets can pass' }).waitFor();
    t.is(await page.evaluate(`getComputedStyle(document.querySelector('main')).filter`), 'none');
    t.deepEqual(complaints, []);

    await server.close();
    await page.locator('#alarms li', { hasText: 'weft ui does not answer' }).waitFor();
    t.is((await texts('#peer-table .space .row')).length, 12);
    server.welcome = [
      ['hello', hello({ packets: batch(lines(1, 3)) })],
      ['status', status({ peers: 1 })],
      ['peers', { changed: [peer(5)], gone: [] }],
      ['tap', null],
    ];
    await server.listen();
    await until(`document.querySelectorAll('#peer-table .space .row:not([hidden])').length === 1`);
    t.deepEqual(
      await texts('#packets .space .row .c0'),
      lines(1, 3).map(({ time }) => time),
    );
    t.deepEqual(await texts('#alarms li'), []);
  });
});

test('another server in its place does not know the page: it says what to do, and asks no more', async (t) => {
  await withLivePage(t, {}, TWELVE, async ({ page, server, texts }) => {
    await page.locator('#link', { hasText: /^live$/ }).waitFor();
    server.refuse = 403;
    server.cut();
    await page.locator('#link', { hasText: /^over$/ }).waitFor();
    t.regex((await texts('#alarms li'))[0]!, /^The weft ui that this page came from has ended\. Run weft ui again/);
    t.is((await texts('#peer-table .space .row')).length, 12);
  });
});

test('nothing came for a while: it says for how long, until something comes', async (t) => {
  await withLivePage(t, {}, TWELVE, async ({ page, server }) => {
    server.isSilent = true;
    await page.locator('#link', { hasText: /^no news for \d+ s/ }).waitFor();
    t.is(await page.evaluate(`getComputedStyle(document.querySelector('main')).filter`), 'grayscale(1)');
    server.isSilent = false;
    server.send(['tick', tick(1, 5)]);
    await page.locator('#link', { hasText: /^live$/ }).waitFor();
  });
});

test('before anything came, without a network, without peers, without a tap: each says so', async (t) => {
  await withLivePage(t, {}, [], async ({ page, server, texts, complaints }) => {
    await page.locator('#link', { hasText: 'connecting' }).waitFor();
    t.deepEqual(await texts('#peers .empty, #packet-list .empty'), ['Waiting for the peers.', 'Waiting for packets.']);
    t.deepEqual(await axe(page), []);
    server.send(
      ['hello', hello()],
      ['status', WAITING],
      ['peers', { changed: [], gone: [] }],
      ['tap', { text: 'The tap of weftd may not be read', hint: 'Start weftd with --tap-group' }],
    );
    await page.getByText('Nobody else is in this network: start weftd on another host.').waitFor();
    t.deepEqual(await texts('#state'), ['waiting: no network configuration at /coreos.com/network/config']);
    t.deepEqual(await texts('#packet-list .empty'), ['The tap of weftd may not be read. Start weftd with --tap-group']);
    t.false(await page.locator('#packets .controls').isVisible());
    t.deepEqual(await texts('#path .empty'), ['Not known before the backend runs.']);
    t.deepEqual(await axe(page), []);
    server.send(['tap', null], ['packets', batch(lines(1, 2))]);
    await page.locator('#packets .row .c0', { hasText: line(2).time }).waitFor();
    t.deepEqual(complaints, []);
  });
});

test('what nobody looks at is not drawn, and is there when somebody does', async (t) => {
  await withLivePage(t, {}, TWELVE, async ({ page, server, until }) => {
    await until(`document.querySelectorAll('#packets .space .row').length > 0`);
    await page.evaluate(`(() => {
      Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      // What was planned before is drawn.
      return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    })()`);
    await page.evaluate(`(() => {
      window.drawn = 0;
      new MutationObserver(() => { window.drawn++; }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
      window.heard = 0;
      const parse = JSON.parse;
      JSON.parse = (text) => { window.heard++; return parse(text); };
    })()`);
    for (let n = 1; n <= 5; n++) server.send(['tick', tick(n, 12)], ['packets', batch(lines(200 + n, 1))]);
    // Its server also repeats what is known.
    await until('window.heard >= 10');
    // Time for what would have been planned.
    await page.evaluate(`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`);
    t.is(await page.evaluate('window.drawn'), 0);
    await page.evaluate(`delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))`);
    await page.locator('#packets .row .c0', { hasText: line(205).time }).waitFor();
  });
});

/** Markup, characters that turn text around, and more than anybody reads. */
const HOSTILE = `<img src=x onerror="document.title='owned'">\u202egnp.exe\u0000${'long '.repeat(2000)}`;

const HOSTILE_EVENTS: readonly PageEvent[] = [
  ['hello', hello({ host: HOSTILE, network: HOSTILE, dropReasons: { [HOSTILE]: HOSTILE } })],
  ['status', status({ peers: 2, alarms: [HOSTILE], offloads: [{ name: 'tun-tso', active: false, reason: HOSTILE }] })],
  [
    'peers',
    {
      changed: [
        { ...peer(0), subnet: HOSTILE, publicIp: HOSTILE, note: HOSTILE, backendType: HOSTILE },
        { ...peer(1), note: `ignored: ${HOSTILE}` },
      ],
      gone: [],
    },
  ],
  ['tap', null],
  [
    'packets',
    batch(lines(1, 40).map((each) => ({ ...each, words: HOSTILE, source: HOSTILE, peer: HOSTILE, reason: HOSTILE }))),
  ],
  ['tick', { ...tick(0, 2, { [HOSTILE]: 3 }), total: { ...TOTAL, drops: { [HOSTILE]: 9 } } }],
];

for (const [what, viewport] of [
  ['1280 wide', { width: 1280, height: 800 }],
  ['a phone', { width: 390, height: 844 }],
] as const)
  test(`text that is markup stays text and breaks no layout: ${what}`, async (t) => {
    await withLivePage(t, { viewport }, HOSTILE_EVENTS, async ({ page, server, complaints, until, requests }) => {
      const { headers, ...rest } = detail(line(1));
      server.details.set(40, {
        ...rest,
        sentence: HOSTILE,
        notes: [HOSTILE],
        points: [{ name: HOSTILE, time: HOSTILE, us: 0 }],
        headers: headers.map((header) => ({
          ...header,
          name: HOSTILE,
          fields: header.fields.map((field) => ({ ...field, name: HOSTILE, value: HOSTILE })),
        })),
      });
      await until(`document.querySelectorAll('#packets .space .row').length > 0`);
      await page.locator('#peer-table .space .row').first().click();
      await page.locator('#packets .space .row').last().click();
      await page.locator('#detail .header').first().waitFor();
      t.is(await page.locator('img, script:not([src])').count(), 0);
      t.not(await page.title(), 'owned');
      t.true(await page.evaluate(`document.body.innerText.includes('<img src=x onerror=')`));
      t.false(await page.evaluate(`/[\\u202e\\u0000]/.test(document.body.textContent)`));
      t.is(await page.evaluate('document.documentElement.scrollWidth'), viewport.width);
      t.deepEqual(
        await page.evaluate(
          `[...document.querySelectorAll('main > section')].filter((e) => e.getBoundingClientRect().right > innerWidth).map((e) => e.id)`,
        ),
        [],
      );
      t.true(requests.every((url) => url.startsWith(server.url)));
      t.deepEqual(complaints, []);
    });
  });

test('on a phone nothing is wider than it, with 0, 1 and 12 peers, and axe has nothing to say', async (t) => {
  const viewport = { width: 390, height: 844 };
  await withLivePage(t, { viewport, hasTouch: true }, TWELVE, async ({ page, server, complaints, until }) => {
    server.details.set(200, detail(line(200)));
    for (const peers of [TWELVE_PEERS, TWELVE_PEERS.slice(0, 1), []]) {
      server.send(['hello', hello({ packets: batch(lines(1, 200)) })], ['peers', { changed: peers, gone: [] }]);
      await until(
        `document.querySelectorAll('#peer-table .space .row:not([hidden])').length >= ${Math.min(peers.length, 8)}`,
      );
      t.is(await page.evaluate('document.documentElement.scrollWidth'), 390);
    }
    await until(`document.querySelector('#nodes-said').textContent === 'h1, alone'`);
    await page.locator('#packets .space .row').last().click();
    await page.locator('#detail .dump').first().waitFor();
    t.is(await page.evaluate('document.documentElement.scrollWidth'), 390);
    t.deepEqual(await axe(page), []);
    t.deepEqual(complaints, []);
  });
});

test('a browser without JavaScript gets a sentence', async (t) => {
  await withLivePage(t, { javaScriptEnabled: false }, [], async ({ page }) => {
    t.regex((await page.locator('noscript').textContent())!, /needs JavaScript: allow it .* weft top/s);
  });
});
