/**
 * What the live page costs its browser: 1,000 peers, 60 of them with traffic, and 500 packets a second in its list, told by a server of its own.
 * CPU of all processes of a headless Chromium and of the server, and the time from navigating to the first picture, with the browser
 * running already. Not a test, for its result is times; it takes a minute:
 *
 *   node dist/test/page/live-cost.js
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { processCpuSeconds } from '../../lib/measure/cpu-time.ts';
import { median } from '../../lib/measure/statistics.ts';
import { BROWSER } from '../browser.ts';
import { batch, hello, lines, pastTick, peer, status, TOTAL, tick, withHealth } from './live/scene.ts';
import { PageServer } from './live/server.ts';

const PEERS = 1000;
const BUSY = 60;
const PACKETS_PER_SECOND = 500;
const SECONDS = 40;
const VISITS = 7;

/** Of a process and all that it started, by pid. */
function family(root: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return [{ pid: Number(name), parent: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) }];
      } catch {
        return [];
      }
    });
  const found = [root];
  for (const pid of found) found.push(...parents.filter(({ parent }) => parent === pid).map((each) => each.pid));
  return found;
}

/** CPU seconds of all of them, by what each is. */
function cpuOf(pids: readonly number[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const pid of pids)
    try {
      const type = /--type=([a-z-]+)/.exec(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.[1] ?? 'browser';
      sums.set(type, (sums.get(type) ?? 0) + processCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8')));
    } catch {
      // It has ended.
    }
  return sums;
}

const server = new PageServer();
const peers = Array.from({ length: PEERS }, (_, k) => (k % 100 === 99 ? withHealth(peer(k), { loss: 0.2 }) : peer(k)));
const drops = (n: number) => (n % 40 < 12 ? { 'no-route': 6 + (n % 5) } : {});
server.welcome = [
  [
    'hello',
    hello({
      history: Array.from({ length: 600 }, (_, k) => pastTick(k - 600, BUSY, drops(k))),
      packets: batch(lines(1, 500)),
    }),
  ],
  ['status', status({ peers: PEERS })],
  ['peers', { changed: peers, gone: [] }],
  ['tap', null],
  ['tick', { ...tick(0, BUSY, drops(0)), total: TOTAL }],
];
await server.listen();
const launched = await chromium.launchServer({ executablePath: BROWSER!, args: ['--no-sandbox'] });
const browser = await chromium.connect(launched.wsEndpoint());
const root = launched.process().pid!;

const first: number[] = [];
for (let visit = 0; visit < VISITS; visit++) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.addInitScript(`{
    const look = () => {
      const drawn = document.querySelectorAll('.uplot canvas').length === 3 && document.querySelectorAll('#peer-table .space .row').length > 10 &&
        (document.querySelector('.dots.active')?.getAttribute('d') ?? '') !== '';
      if (drawn) requestAnimationFrame(() => { window.firstPicture = performance.now(); });
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }`);
  await page.goto(server.url);
  for (;;) {
    const at = (await page.evaluate('window.firstPicture')) as number | undefined;
    if (at !== undefined) {
      first.push(at);
      break;
    }
    await delay(20);
  }
  await page.close();
}

const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
await page.goto(server.url);
await page.locator('#packets .space .row').first().waitFor();
let n = 0;
let id = 501;
const timer = setInterval(() => {
  n++;
  const half = PACKETS_PER_SECOND / 2;
  server.send(['packets', batch(lines(id, half))]);
  id += half;
  if (n % 2 === 0) server.send(['tick', { ...tick(n / 2, BUSY, drops(n / 2)), total: TOTAL }]);
  if (n % 10 === 0) server.send(['peers', { changed: peers, gone: [] }]);
}, 500);
await delay(5000);
const [before, own, start] = [cpuOf(family(root)), process.cpuUsage(), performance.now()];
await delay(SECONDS * 1000);
const after = cpuOf(family(root));
const [used, seconds] = [process.cpuUsage(own), (performance.now() - start) / 1000];
clearInterval(timer);
const parts = [...after].map(([type, cpu]) => [type, ((cpu - (before.get(type) ?? 0)) / seconds) * 100] as const);
const all = parts.reduce((sum, [, share]) => sum + share, 0);
const elements = (await page.evaluate('document.querySelectorAll("*").length')) as number;
process.stdout.write(
  `${PEERS} peers, ${PACKETS_PER_SECOND} packets/s, over ${seconds.toFixed(0)} s: Chromium ${all.toFixed(1)} % of a core (${parts
    .map(([type, share]) => `${type} ${share.toFixed(1)}`)
    .join(', ')}), this server ${((used.user + used.system) / 1e4 / seconds).toFixed(1)} %; ${elements} elements\n` +
    `first picture after navigating: median ${median(first).toFixed(0)} ms, at most ${Math.max(...first).toFixed(0)} ms of ${VISITS}\n`,
);
await browser.close();
await launched.close();
await server.close();
