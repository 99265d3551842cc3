import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { until } from '../../lib/lab/until.ts';
import { PATIENCE_MS } from '../patience.ts';
import { TutorialShell, tutorialBlocks } from '../tutorial/steps.ts';
import { testInLabs } from './labs.ts';

const { id, test } = testInLabs('u');

/** What people end by a key: what shows that it works, the key, and the code that a shell has then. */
interface Watched {
  readonly shows: RegExp;
  readonly key: string;
  readonly code: number;
}

/** What each block of docs/tutorial.md says when all is well, in their order, by how it begins. */
const SAYS: readonly (readonly [begins: string, says: readonly RegExp[] | Watched])[] = [
  [
    'weft() {',
    [/Lab ".*" is up/, /^pod1 is 10\.244\.\d+\.2 on host 192\.0\.2\.1, pod2 is 10\.244\.\d+\.2 on host 192\.0\.2\.2$/m],
  ],
  ['weft lab exec h1 -- weft status', [/ready/, /vxlan/, /192\.0\.2\.2/]],
  ['weft lab exec pod1 -- ping -c 3', [/3 packets transmitted, 3 received/]],
  ['weft lab exec pod1 -- ping -c 40', [/flannel\.1 +>.*echo request/, /u0 +>.* us$/m]],
  ['weft lab exec pod1 -- ping -c 40', [/Virtual eXtensible Local Area Network/, /Internet Control Message Protocol/]],
  ['weft lab exec h1 -- weft trace', [/^arrived: 10\.244\.\d+\.2 answers/m]],
  ['weft lab exec h2 -- nft', [/tunnel packet\s+came back[:.] UDP port 4789/]],
  ['weft lab exec h2 -- nft', [/^arrived: 10\.244\.\d+\.2 answers/m]],
  ['weft lab exec pod1 -- ping -c 200', [/p50 +p90/, /CPU/]],
  ['weft lab exec pod2 -- iperf3', [/p50 +p90/, /CPU/]],
  ['weft bench --quick --html', [/Gb\/s/]],
  ['weft lab exec h1 -- weft top', { shows: /packets\/s/, key: 'q', code: 0 }],
  ['weft ui --lab', { shows: /http:\/\/127\.0\.0\.1:\d+\//, key: '\u0003', code: 130 }],
  ['weft lab down', [/is removed/]],
];

test('every command of the tutorial does in the lab what the tutorial says', async (t) => {
  const blocks = tutorialBlocks();
  t.deepEqual(
    blocks.map((block) => SAYS.find(([begins]) => block.startsWith(begins))?.[0]),
    SAYS.map(([begins]) => begins),
    'each block has its row here',
  );
  const folder = mkdtempSync(join(tmpdir(), 'weft-tutorial-'));
  const shell = new TutorialShell(id);
  t.teardown(() => {
    shell.close();
    rmSync(folder, { recursive: true });
  });
  for (const [index, block] of blocks.entries()) {
    const says = SAYS[index]![1];
    const typed = block.replaceAll('/tmp/', `${folder}/`);
    if (!Array.isArray(says)) {
      await watch(t, `${blocks[0]!.split('\n')[0]}\n${typed}`, says as Watched);
      continue;
    }
    const { code, output } = await shell.run(typed);
    t.is(code, 0, `${block}\n${output}`);
    for (const pattern of says as readonly RegExp[]) t.regex(output, pattern, block);
  }
});

/** In a terminal of its own (script(1)): shows what it should, and ends well by its key. */
async function watch(t: ExecutionContext, block: string, watched: Watched): Promise<void> {
  const { shows, key } = watched;
  // The shell has the signal of Ctrl-C too, and would report it as its own. A port of its own: another may have the usual one.
  const typed = block.replace('weft ui', '$& --listen 127.0.0.1:0');
  const line = `stty rows 40 cols 100; trap : INT; sudo() { "$@"; }; ${typed}`;
  const env = { ...process.env, WEFT_LAB: id, TERM: 'xterm' };
  const child = spawn('script', ['-qec', line, '/dev/null'], { env });
  t.teardown(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const ended = once(child, 'close') as Promise<[number | null]>;
  t.true(await until(() => shows.test(output), PATIENCE_MS), output);
  child.stdin.write(key);
  const [code] = await ended;
  t.is(code, watched.code, output);
}
