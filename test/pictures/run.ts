/**
 * `npm run docs:pictures [-- NAME...]`: makes the pictures of README and docs anew, all or those named, from what the programs print
 * and show in a lab. Root, as the lab wants it; beside what the tests need also ImageMagick, and for the one of Wireshark it and Xvfb:
 * apt-get install imagemagick xvfb wireshark. On a machine that does nothing else: there are times in them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { destroyLab } from '../../lib/lab/remove.ts';
import { until } from '../../lib/lab/until.ts';
import type { TraceReport } from '../../lib/observe/trace/trace.ts';
import { PATIENCE_MS } from '../patience.ts';
import { TutorialShell, tutorialBlocks } from '../tutorial/steps.ts';
import { OVERVIEW_STYLE, overview } from './overview.ts';
import { Painter } from './painter.ts';
import { lastScreen, TERMINAL_STYLE, terminal } from './terminal.ts';
import { photographWireshark } from './wireshark.ts';

const LAB = `pic${process.pid.toString(36)}`;
const NAMES = ['overview', 'capture', 'wireshark', 'trace', 'broken', 'overhead', 'top', 'report', 'ui'] as const;
type Name = (typeof NAMES)[number];

/** Our choice: a minute to see in the strips, and all kinds of packets in the list. */
const UI_MS = 75_000;

/** Blocks of the tutorial whose output is a picture, by the picture: how the block begins, and which of its commands is shown. */
const BLOCKS: readonly (readonly [name: Name | undefined, begins: string, shown: string])[] = [
  [undefined, 'weft() {', ''],
  ['capture', 'weft lab exec pod1 -- ping -c 40', 'weft capture --inner icmp -c 8'],
  ['wireshark', 'weft lab exec pod1 -- ping -c 40', ''],
  ['trace', 'weft lab exec h1 -- weft trace', 'weft trace "$pod2" --from "$pod1"'],
  ['broken', 'weft lab exec h2 -- nft', 'weft trace "$pod2" --from "$pod1"'],
  // Mended again.
  ['broken', 'weft lab exec h2 -- nft', ''],
  ['overhead', 'weft lab exec pod1 -- ping -c 200', 'weft overhead --seconds 5'],
  ['report', 'weft bench --quick', ''],
];

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.find((arg) => !(NAMES as readonly string[]).includes(arg));
  if (unknown !== undefined) {
    process.stderr.write(`docs:pictures: there is no picture "${unknown}"; there are ${NAMES.join(', ')}\n`);
    return 2;
  }
  const wanted = (name: Name | undefined): boolean => name === undefined || args.length === 0 || args.includes(name);
  const folder = mkdtempSync(join(tmpdir(), 'weft-pictures-'));
  const shell = new TutorialShell(LAB);
  const painter = await Painter.open();
  try {
    let from = 0;
    const all = tutorialBlocks();
    for (const [name, begins, shown] of BLOCKS) {
      const index = all.findIndex((block, at) => at >= from && block.startsWith(begins));
      from = index + 1;
      if (!wanted(name)) continue;
      process.stdout.write(`${all[index]!.split('\n').at(-1)}\n`);
      const { code, output } = await shell.run(all[index]!.replaceAll('/tmp/', `${folder}/`));
      if (code !== 0) throw new Error(`it ended with ${code}:\n${output}`);
      if (name === 'wireshark') await photographWireshark(join(folder, 'weft-tutorial.pcapng'));
      else if (name === 'report') await photographReport(painter, join(folder, 'weft-report.html'));
      else if (name !== undefined && shown !== '') await painter.paint(name, terminal(shown, output), TERMINAL_STYLE);
    }
    if (wanted('overview')) await paintOverview(painter, shell);
    if (wanted('top')) await paintTop(painter, shell);
    if (wanted('ui')) await photographUi(painter);
    return 0;
  } finally {
    shell.close();
    await painter.close();
    await destroyLab(LAB);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function paintOverview(painter: Painter, shell: TutorialShell): Promise<void> {
  const command = `weft lab exec h1 -- weft trace "$pod2" --from "$pod1" --far netns:${LAB}-h2 --json`;
  // The first one finds caches cold.
  await shell.run(command);
  const { output } = await shell.run(command);
  await painter.paint('overview', overview(JSON.parse(output) as TraceReport), OVERVIEW_STYLE);
}

/** After some traffic, so that there is a minute to see. */
async function paintTop(painter: Painter, shell: TutorialShell): Promise<void> {
  await shell.run('weft lab exec pod2 -- iperf3 -s -D');
  const load = shell.run(
    'for rate in 20M 60M 30M 90M; do weft lab exec pod1 -- iperf3 -c "$pod2" -b $rate -t 6 > /dev/null; done',
  );
  const script = 'stty rows 20 cols 100; bin/weft lab exec h1 -- weft top';
  const child = spawn('script', ['-qec', script, '/dev/null'], {
    env: { ...process.env, NO_COLOR: '', WEFT_LAB: LAB, TERM: 'xterm' },
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await load;
  child.stdin.write('q');
  await once(child, 'close');
  await painter.paint('top', terminal('weft top', lastScreen(output)), TERMINAL_STYLE);
}

async function photographReport(painter: Painter, file: string): Promise<void> {
  await painter.photograph('report', async (page) => {
    await page.goto(pathToFileURL(file).href);
    await page.locator('canvas, svg').first().waitFor();
  });
}

async function photographUi(painter: Painter): Promise<void> {
  const args = ['bin/weft', 'ui', '--lab', '--hosts', '4', '--listen', '127.0.0.1:0'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const ended = once(child, 'close');
  try {
    const url = /http:\/\/\S+/;
    if (!(await until(() => url.test(output), PATIENCE_MS))) throw new Error('weft ui --lab shows no address');
    const address = url.exec(output)![0];
    await delay(UI_MS);
    // The token is good for one browser: one visit for all pictures.
    await painter.visit(address, async (page, photograph) => {
      await page.locator('#peer-table .space .row').first().waitFor();
      await delay(3000);
      await photograph('ui');
      await page.getByLabel('Filter packets by text').fill('echo request');
      await page.locator('#packets .space .row:visible', { hasText: '192.0.2.' }).last().click();
      await page.locator('#detail .header').first().waitFor();
      await page.locator('#packets').scrollIntoViewIfNeeded();
      await page.evaluate("document.getElementById('packets').scrollIntoView({ block: 'start' })");
      await delay(1000);
      await photograph('packet');
    });
  } finally {
    child.kill('SIGINT');
    await ended;
  }
}
