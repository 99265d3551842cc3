/**
 * The architecture as data: which room of lib/ may import which, and which packages. docs/architecture.md has the picture;
 * change the two together, on purpose. The root files of lib/ (error.ts, version.ts, index.ts) may be imported by all.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import test from 'ava';

interface Room {
  readonly rooms: readonly string[];
  /** Packages beside Node's own modules. 'none': not even those; the room is pure. */
  readonly packages: readonly string[] | 'none';
}

const ROOMS: Readonly<Record<string, Room>> = {
  // Pure: no I/O.
  addr: { rooms: [], packages: 'none' },
  wire: { rooms: ['addr'], packages: 'none' },
  fib: { rooms: ['addr'], packages: 'none' },
  lease: { rooms: ['addr'], packages: 'none' },
  // Constants of Linux: struct offsets, option numbers.
  linux: { rooms: [], packages: 'none' },
  // Host: system calls, files, etcd.
  sys: { rooms: ['addr', 'linux'], packages: ['koffi'] },
  capture: { rooms: ['addr', 'wire'], packages: ['cap'] },
  store: { rooms: ['addr', 'lease'], packages: ['@grpc/grpc-js', '@grpc/proto-loader'] },
  // Engine.
  router: { rooms: ['addr', 'sys'], packages: [] },
  fastpath: { rooms: ['fib', 'linux', 'wire'], packages: [] },
  dataplane: { rooms: ['addr', 'fastpath', 'fib', 'linux', 'sys', 'wire'], packages: [] },
  engine: { rooms: ['addr', 'dataplane', 'sys'], packages: [] },
  backend: { rooms: ['addr', 'dataplane', 'engine', 'lease', 'router', 'sys'], packages: [] },
  // Product.
  control: { rooms: [], packages: [] },
  daemon: {
    rooms: ['addr', 'backend', 'control', 'dataplane', 'engine', 'lease', 'store', 'sys'],
    packages: ['pino', 'pino-pretty'],
  },
  lab: { rooms: ['addr', 'control'], packages: [] },
  measure: { rooms: ['addr', 'lab', 'sys', 'wire'], packages: ['raw-socket'] },
  bench: { rooms: ['addr', 'control', 'dataplane', 'fastpath', 'lab', 'measure', 'sys'], packages: [] },
  demo: { rooms: ['addr', 'bench', 'capture', 'control', 'lab', 'measure'], packages: [] },
  // Of `dataplane` the table of counters, which `weft stats` prints.
  cli: {
    rooms: ['addr', 'bench', 'capture', 'control', 'dataplane', 'demo', 'lab', 'measure'],
    packages: ['commander'],
  },
};

/** The only file that starts a worker thread. */
const STARTS_WORKERS = 'dataplane/main/client.ts';

/** A clock, chance, the environment or the terminal: these are passed in from daemon, cli and bin. */
const AMBIENT = /\bprocess\.(?:exit|env|argv)\b|\bconsole\.|\bDate\.now\b|\bMath\.random\b/;
const MAY_BE_AMBIENT = ['bench', 'cli', 'daemon', 'lab'];

interface SourceFile {
  /** Relative to lib/: "wire/ipv4.ts". */
  readonly path: string;
  readonly text: string;
}

/** One line for each thing in the file that the tables do not allow. */
function violations({ path, text }: SourceFile): string[] {
  const room = roomOf(path);
  // index.ts and its like: the public face, not a room.
  const rules = room.endsWith('.ts') ? undefined : ROOMS[room];
  if (rules === undefined && !room.endsWith('.ts')) return [`room ${room} is not in the table`];
  const code = withoutComments(text);
  const found = importsOf(code).map((name) => (rules === undefined ? undefined : problem(path, room, rules, name)));
  if (/\bimport\s*\(\s*[^'"\s]/.test(code)) found.push('imports a computed name, which nobody can check');
  if (/\bnew\s+Worker\b/.test(code) && path !== STARTS_WORKERS) found.push('starts a worker');
  if (AMBIENT.test(code) && !MAY_BE_AMBIENT.includes(room)) found.push('uses clock, chance, environment or terminal');
  return found.filter((line) => line !== undefined).map((line) => `${path}: ${line}`);
}

/** What is wrong with one import, or undefined. */
function problem(path: string, room: string, rules: Room, name: string): string | undefined {
  if (name.startsWith('.')) {
    const file = normalize(join(dirname(path), name));
    if (file.startsWith('..')) return `imports ${file}, which is outside lib/`;
    const target = roomOf(file);
    const allowed = target === room || target.endsWith('.ts') || rules.rooms.includes(target);
    return allowed ? undefined : `${room} may not import ${target}`;
  }
  if (rules.packages === 'none') return `${room} is pure and may not import ${name}`;
  if (name.startsWith('node:') || rules.packages.includes(name)) return undefined;
  return `${room} may not import the package ${name}`;
}

/** "wire/ipv4.ts" is in "wire"; "error.ts" stands for itself. */
function roomOf(path: string): string {
  return path.split('/')[0]!;
}

/** The code without its comments. Strings are kept whole, so that "http://" in one does not begin a comment. */
function withoutComments(text: string): string {
  const stringOrComment = /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replaceAll(stringOrComment, (_, string: string | undefined) => string ?? ' ');
}

/** Every literal module name: static, re-exported, for its side effects, dynamic, by require, and as a worker's URL. */
function importsOf(code: string): string[] {
  const forms = [
    /^\s*(?:import|export)\b[^'"`;()]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\b(?:import|require)\s*\(\s*['"]([^'"]+)['"]/g,
    /\bnew\s+URL\(\s*['"]([^'"]+\.js)['"]/g,
  ];
  return forms.flatMap((form) => [...code.matchAll(form)].map((match) => match[1]!));
}

const sources: readonly SourceFile[] = readdirSync('lib', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(join('lib', path), 'utf8') }));

test('everything that lib/ imports is below it, and in the table', (t) => {
  const imports = sources.flatMap(({ text }) => importsOf(withoutComments(text)));
  t.true(imports.length > 300, `the patterns find ${imports.length} imports`);
  t.deepEqual(sources.flatMap(violations), []);
});

test('the one file that may start a worker does', (t) => {
  const client = sources.find(({ path }) => path === STARTS_WORKERS);
  t.regex(client?.text ?? '', /new Worker\(/);
});

test('the table itself has no circle', (t) => {
  const height = (room: string, above: readonly string[]): number => {
    t.false(above.includes(room), [...above, room].join(' -> '));
    return above.includes(room)
      ? 0
      : 1 + Math.max(0, ...ROOMS[room]!.rooms.map((below) => height(below, [...above, room])));
  };
  for (const room of Object.keys(ROOMS)) t.true(height(room, []) > 0);
});

// The checker on code that breaks a rule, and on code that only looks so.
const BAD: readonly (readonly [path: string, text: string, violation: RegExp])[] = [
  ['wire/x.ts', "import { a } from '../fib/trie.ts';", /wire may not import fib/],
  ['wire/x.ts', "import type { A } from '../dataplane/stats.ts';", /wire may not import dataplane/],
  ['store/x.ts', "export { a } from '../backend/udp.ts';", /store may not import backend/],
  ['backend/x.ts', "import '../store/etcd.ts';", /backend may not import store/],
  ['cli/x.ts', "import {\n  a,\n  b,\n} from '../daemon/daemon.ts';", /cli may not import daemon/],
  ['cli/commands/x.ts', "import * as all from '../../daemon/daemon.ts';", /cli may not import daemon/],
  ['dataplane/x.ts', "const a = await import('../daemon/log.ts');", /dataplane may not import daemon/],
  ['dataplane/x.ts', "const url = new URL('../daemon/x.js', import.meta.url);", /dataplane may not import daemon/],
  ['fastpath/assembly/x.ts', "import { A } from '../../dataplane/stats';", /fastpath may not import dataplane/],
  ['addr/x.ts', "import { b } from '../../test/random.ts';", /outside lib/],
  ['addr/x.ts', "import { readFileSync } from 'node:fs';", /addr is pure/],
  ['wire/x.ts', "import { z } from 'zod';", /wire is pure/],
  ['fib/x.ts', "const fs = require('fs');", /fib is pure/],
  ['backend/x.ts', "import koffi from 'koffi';", /may not import the package koffi/],
  ['dataplane/x.ts', "const koffi = (await import('koffi')).default;", /may not import the package koffi/],
  ['cli/x.ts', 'const module = await import(name);', /computed name/],
  ['backend/x.ts', 'const worker = new Worker(url);', /starts a worker/],
  ['store/x.ts', 'const now = Date.now();', /clock/],
  ['utils/x.ts', '', /utils is not in the table/],
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
  ['dataplane/main/client.ts', "new Worker(new URL('./worker.js', import.meta.url));"],
  ['addr/x.ts', "const text = 'see http://example.org'; // from 'node:fs'"],
  ['fastpath/assembly/x.ts', "import { A } from '../abi';\nimport { IPV4_TTL } from '../../wire/ipv4-layout';"],
  ['index.ts', "export { parseIpv4 } from './addr/ipv4.ts';"],
];

for (const [path, text] of GOOD)
  test(`finds no fault with ${path}: ${text.replaceAll('\n', ' ')}`, (t) => {
    t.deepEqual(violations({ path, text }), []);
  });
