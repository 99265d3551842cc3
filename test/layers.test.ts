/** The table of rooms (layers/rooms.ts) and lib/ say the same. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import {
  circles,
  fileImports,
  importsOf,
  roomOf,
  type SourceFile,
  STARTS_WORKERS,
  unused,
  violations,
  withoutComments,
} from './layers/check.ts';
import { ROOMS } from './layers/rooms.ts';

/** Folders and files, relative to lib/. */
const paths = readdirSync('lib', { recursive: true, encoding: 'utf8' });
const sources: readonly SourceFile[] = paths
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(join('lib', path), 'utf8') }));

/** "dataplane" for "dataplane/worker". */
const topOf = (room: string): string => room.split('/')[0]!;

test('everything that lib/ imports is in the table', (t) => {
  const imports = sources.flatMap(({ text }) => importsOf(withoutComments(text)));
  t.true(imports.length > 300, `the patterns find ${imports.length} imports`);
  t.deepEqual(sources.flatMap(violations), []);
});

test('everything in the table is used', (t) => {
  t.deepEqual(unused(sources), []);
});

test('the table and lib/ have the same rooms', (t) => {
  const gone = Object.keys(ROOMS)
    .filter((room) => !paths.includes(room))
    .map((room) => `${room} is in the table and not in lib/: the table says what is`);
  const unknown = paths
    .filter((path) => !(roomOf(path) in ROOMS))
    .map((path) => `${path} has no row in the table: say first what it may import, and why`);
  t.deepEqual([...gone, ...unknown], []);
});

test('files do not import each other in a circle, types included: none of them could be read or tested alone', (t) => {
  t.deepEqual(circles(fileImports(sources)), []);
});

test('nor do rooms, each with those inside it: there would be no up and down', (t) => {
  const imports = new Map<string, string[]>();
  for (const [room, { imports: below }] of Object.entries(ROOMS)) {
    const others = below.map(topOf).filter((target) => target !== topOf(room));
    imports.set(topOf(room), [...(imports.get(topOf(room)) ?? []), ...others]);
  }
  t.deepEqual(circles(imports), []);
});

test('a pure room imports pure rooms only', (t) => {
  const pure = (room: string) => ROOMS[room]?.packages === 'none';
  const impure = Object.entries(ROOMS).flatMap(([room, { imports }]) =>
    imports.filter((target) => pure(room) && !pure(target)).map((target) => `${room} is pure, and ${target} is not`),
  );
  t.deepEqual(impure, []);
});

test('the threads of the data plane never import each other, nor what they share either of them', (t) => {
  const threads = ['dataplane/main', 'dataplane/worker'];
  const rooms = Object.entries(ROOMS).filter(([room]) => topOf(room) === 'dataplane');
  t.deepEqual(
    rooms.filter(([, { imports }]) => imports.some((target) => threads.includes(target))).map(([room]) => room),
    [],
  );
  for (const thread of threads) t.true(thread in ROOMS);
});

test('the files that may start a worker do', (t) => {
  for (const file of Object.keys(STARTS_WORKERS))
    t.regex(sources.find(({ path }) => path === file)?.text ?? '', /new Worker\(/, file);
});

test('docs/architecture.md says what each room is', (t) => {
  const text = readFileSync('docs/architecture.md', 'utf8');
  const table = text.slice(text.indexOf('| room |'), text.indexOf('\n\n', text.indexOf('| room |')));
  const told = [...table.matchAll(/^\| `([^`]+)` \|/gm)].map((row) => row[1]!);
  const rooms = Object.keys(ROOMS).filter((room) => room === topOf(room) && !room.endsWith('.ts'));
  t.deepEqual(told.toSorted(), rooms.toSorted());
});

// The checker on code that breaks a rule, and on code that only looks so.
const BAD: readonly (readonly [path: string, text: string, violation: RegExp])[] = [
  ['wire/x.ts', "import { a } from '../fib/trie.ts';", /wire may not import fib: .* without a machine/],
  ['wire/x.ts', "import type { A } from '../dataplane/stats.ts';", /wire may not import dataplane/],
  ['wire/x.ts', "import type { Log } from '../log.ts';", /wire may not import log.ts/],
  ['wire/layout/x.ts', "import { a } from '../ipv4.ts';", /wire\/layout may not import wire/],
  ['store/x.ts', "export { a } from '../backend/udp.ts';", /store may not import backend/],
  ['store/x.ts', "import { a } from './etcd/store.ts';", /store may not import store\/etcd/],
  ['backend/x.ts', "import '../store/etcd/store.ts';", /backend may not import store\/etcd/],
  ['cli/x.ts', "import {\n  a,\n  b,\n} from '../daemon/daemon.ts';", /cli may not import daemon/],
  ['cli/commands/x.ts', "import * as all from '../../daemon/daemon.ts';", /cli may not import daemon/],
  ['dataplane/x.ts', "const a = await import('../daemon/log.ts');", /dataplane may not import daemon/],
  ['dataplane/x.ts', "import type { A } from './worker/queue.ts';", /may not import dataplane\/worker/],
  ['dataplane/main/x.ts', "import type { A } from '../worker/queue.ts';", /main thread/],
  ['dataplane/main/x.ts', "const url = new URL('../worker/worker.js', import.meta.url);", /may not import/],
  ['dataplane/main/client.ts', "import { a } from '../worker/worker.ts';", /main thread/],
  ['dataplane/worker/neighbor/x.ts', "import { a } from '../../main/tables.ts';", /worker thread/],
  ['dataplane/worker/x.ts', "const url = new URL('../../daemon/x.js', import.meta.url);", /may not import daemon/],
  ['fastpath/assembly/inbound/x.ts', "import { A } from '../../../dataplane/stats';", /may not import dataplane/],
  ['fastpath/assembly/x.ts', "import { load } from '../load';", /may not import fastpath: asc/],
  ['addr/x.ts', "import { b } from '../../test/random.ts';", /outside lib/],
  ['addr/x.ts', "import { readFileSync } from 'node:fs';", /addr is pure/],
  ['wire/x.ts', "import { z } from 'zod';", /wire is pure/],
  ['fib/x.ts', "const fs = require('fs');", /fib is pure/],
  ['backend/x.ts', "import koffi from 'koffi';", /may not import the package koffi/],
  ['dataplane/x.ts', "const koffi = (await import('koffi')).default;", /may not import the package koffi/],
  ['cli/x.ts', "const cap = createRequire(import.meta.url)('cap');", /may not import the package cap/],
  ['cli/x.ts', 'const module = await import(name);', /computed name/],
  ['capture/x.ts', 'const cap = createRequire(import.meta.url)(name);', /computed name/],
  ['demo/x.ts', "const cap = loadOptionalPackage('cap', code);", /may not import the package cap/],
  ['cli/x.ts', "import { DROP_REASONS } from '../dataplane/drop.ts';", /cli may not import dataplane:/],
  ['backend/x.ts', 'const worker = new Worker(url);', /starts a worker/],
  ['store/x.ts', 'const now = Date.now();', /clock/],
  ['utils/x.ts', '', /utils is not in the table/],
  ['utils.ts', '', /utils.ts is not in the table/],
];

for (const [path, text, violation] of BAD)
  test(`finds fault with ${path}: ${text.replaceAll('\n', ' ')}`, (t) => {
    const found = violations({ path, text });
    t.is(found.length, 1);
    t.regex(found[0] ?? '', violation);
  });

const GOOD: readonly (readonly [path: string, text: string])[] = [
  [
    'wire/x.ts',
    "import { a } from './y.ts';\nimport { b } from '../addr/ipv4.ts';\nimport { WeftError } from '../error.ts';",
  ],
  ['wire/x.ts', "// import { a } from '../fib/trie.ts';\n/* import 'node:fs'; new Worker(); Date.now() */"],
  ['sys/x.ts', "import koffi from 'koffi';\nimport { arch } from 'node:os';"],
  ['dataplane/main/client.ts', "new Worker(new URL('../worker/worker.js', import.meta.url));"],
  ['dataplane/worker/x.ts', "import { a } from './neighbor/table.ts';"],
  ['addr/x.ts', "const text = 'see http://example.org'; // from 'node:fs'"],
  ['fastpath/assembly/x.ts', "import { A } from '../abi';\nimport { IPV4_TTL } from '../../wire/layout/ipv4';"],
  ['undo.ts', "import type { Log } from './log.ts';"],
];

for (const [path, text] of GOOD)
  test(`finds no fault with ${path}: ${text.replaceAll('\n', ' ')}`, (t) => {
    t.deepEqual(violations({ path, text }), []);
  });

test('finds a permission that nothing uses', (t) => {
  const found = unused([{ path: 'wire/x.ts', text: "import { a } from './layout/udp.ts';" }]);
  t.true(found.some((line) => line.startsWith('wire: no file of it uses "addr"')));
  t.false(found.some((line) => line.startsWith('wire: no file of it uses "wire/layout"')));
});

test('finds circles, the shortest first, through types and inside a folder', (t) => {
  const files = [
    { path: 'a/x.ts', text: "import type { Y } from './y.ts';" },
    { path: 'a/y.ts', text: "export { z } from '../b/z';\nimport { x } from './x.ts';" },
    { path: 'b/z.ts', text: "import { x } from '../a/x.ts';" },
    { path: 'c.ts', text: "import { x } from './a/x.ts';" },
  ];
  t.deepEqual(circles(fileImports(files)), ['a/x.ts -> a/y.ts -> a/x.ts', 'b/z.ts -> a/x.ts -> a/y.ts -> b/z.ts']);
});
