import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { UsedSpace } from '../../../lib/backend/leftovers.ts';
import { UsedNetworks } from '../../../lib/daemon/files/used-networks.ts';
import { prefix } from '../../fastpath/harness.ts';
import { logTo } from '../../log.ts';

const FILE = 'networks.json';
const BLUE = '/run/flannel/blue.env';
const RED = '/run/flannel/red.env';

async function scratch(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'weft-state-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The record as one start of a daemon has it, and what that logged. */
function start(directory: string) {
  const lines: string[] = [];
  const log = logTo((fields, message) => lines.push(`${message} ${JSON.stringify(fields)}`));
  return { used: new UsedNetworks({ directory, log }), lines };
}

const space = (netns: string | undefined, ...prefixes: string[]): UsedSpace => ({
  netns,
  prefixes: prefixes.map(prefix),
});

test('what each network used is there at the next start, and what the others use (L7)', async (t) => {
  const directory = join(await scratch(t), 'weft');
  const { used, lines } = start(directory);
  t.deepEqual(await used.earlier(BLUE), { own: undefined, others: [] });
  const blue = space(undefined, '10.5.0.0/16', 'fd00::/48');
  const red = space('/run/netns/red', '10.6.0.0/16');
  // Two networks that start at once.
  await Promise.all([used.keep(BLUE, blue), used.keep(RED, red)]);
  const again = start(directory).used;
  t.deepEqual(await again.earlier(BLUE), { own: blue, others: [red] });
  t.deepEqual(await again.earlier(RED), { own: red, others: [blue] });
  t.deepEqual(lines, []);
  t.deepEqual(await readdir(directory), [FILE]);
  t.is((await stat(join(directory, FILE))).mode & 0o7777, 0o600);
});

test('two weftd with one state directory do not lose what the other wrote', async (t) => {
  const directory = await scratch(t);
  const [one, two] = [start(directory).used, start(directory).used];
  await one.keep(BLUE, space(undefined, '10.5.0.0/16'));
  await two.keep(RED, space(undefined, '10.6.0.0/16'));
  await one.keep(BLUE, space(undefined, '10.7.0.0/16'));
  const { own, others } = await start(directory).used.earlier(BLUE);
  t.deepEqual(own, space(undefined, '10.7.0.0/16'));
  t.deepEqual(others, [space(undefined, '10.6.0.0/16')]);
});

for (const text of [
  'junk',
  '{"version":2,"networks":{}}',
  '{"version":1}',
  '{"version":1,"networks":{"/a":{"netns":null,"prefixes":["10.5.0.0"]}}}',
  '{"version":1,"networks":{"/a":{"netns":7,"prefixes":[]}}}',
  '{"version":1,"networks":{"/a":null}}',
])
  test(`a file that cannot be used is set aside, with a warning: ${text}`, async (t) => {
    const directory = await scratch(t);
    await writeFile(join(directory, FILE), text);
    const { used, lines } = start(directory);
    t.deepEqual(await used.earlier(BLUE), { own: undefined, others: [] });
    t.is(await readFile(join(directory, `${FILE}.bad`), 'utf8'), text);
    t.is(lines.length, 1);
    t.regex(lines[0]!, /^What networks used before is not known; routes of one that was renumbered may stay/);
  });

test('a directory that takes nothing is reported once, and the networks of this daemon know of each other', async (t) => {
  const path = join(await scratch(t), 'file');
  await writeFile(path, '');
  const { used, lines } = start(path);
  await used.keep(BLUE, space(undefined, '10.5.0.0/16'));
  await used.keep(RED, space(undefined, '10.6.0.0/16'));
  t.deepEqual((await used.earlier(RED)).others, [space(undefined, '10.5.0.0/16')]);
  t.deepEqual(lines.filter((line) => line.startsWith('What networks use cannot be saved')).length, 1, lines.join('\n'));
});
