/**
 * The architecture as data: which room of lib/ may import which, and which packages. docs/architecture.md has the picture;
 * change the two together, on purpose. The root files of lib/ (error.ts, version.ts, index.ts) may be imported by all.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, normalize, sep } from 'node:path';
import test from 'ava';

interface Room {
  readonly rooms: readonly string[];
  /** Packages beside Node's own modules. 'none': not even those; the room is pure. */
  readonly packages: readonly string[] | 'none';
}

const ROOMS: Readonly<Record<string, Room>> = {
  // Pure: no I/O.
  addr: { rooms: [], packages: 'none' },
  metrics: { rooms: [], packages: 'none' },
  wire: { rooms: ['addr'], packages: 'none' },
  fib: { rooms: ['addr'], packages: 'none' },
  lease: { rooms: ['addr'], packages: 'none' },
  // Host: system calls, files, etcd.
  sys: { rooms: ['addr'], packages: ['koffi'] },
  capture: { rooms: ['addr', 'wire'], packages: [] },
  store: { rooms: ['addr', 'lease'], packages: ['@grpc/grpc-js', '@grpc/proto-loader'] },
  // Engine.
  fastpath: { rooms: ['fib', 'wire'], packages: [] },
  dataplane: { rooms: ['addr', 'capture', 'fastpath', 'fib', 'lease', 'metrics', 'sys', 'wire'], packages: [] },
  backend: { rooms: ['addr', 'dataplane', 'lease', 'sys'], packages: [] },
  // Product.
  control: { rooms: ['addr', 'dataplane', 'lease', 'metrics'], packages: [] },
  daemon: {
    rooms: ['addr', 'backend', 'capture', 'control', 'dataplane', 'lease', 'metrics', 'store', 'sys'],
    packages: ['pino', 'pino-pretty'],
  },
  lab: { rooms: ['addr', 'control', 'lease', 'sys'], packages: [] },
  bench: {
    rooms: ['addr', 'control', 'dataplane', 'fastpath', 'fib', 'lab', 'sys', 'wire'],
    packages: ['raw-socket'],
  },
  cli: {
    rooms: ['addr', 'bench', 'capture', 'control', 'lab', 'lease', 'wire'],
    packages: ['cap', 'commander'],
  },
};

const IMPORT = /(?:\bfrom|\bimport|\bimport\(|\brequire\()\s*'([^']+)'|\bnew URL\('([^']+\.js)'/g;
/** A clock, chance, the environment or the terminal: these are passed in from daemon, cli and bin. */
const AMBIENT = /\bprocess\.(?:exit|env|argv)\b|\bconsole\.|\bDate\.now\b|\bMath\.random\b/;
const MAY_BE_AMBIENT = ['bench', 'cli', 'daemon', 'lab'];

const sources = readdirSync('lib', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({ file, room: file.split(sep)[0]!, code: withoutComments(readFileSync(join('lib', file), 'utf8')) }));

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

const importsOf = (code: string): string[] => [...code.matchAll(IMPORT)].map((match) => (match[1] ?? match[2])!);

/** What is wrong with one import, or undefined. */
function problem(file: string, room: string, specifier: string): string | undefined {
  const rules = ROOMS[room];
  if (rules === undefined) return room.endsWith('.ts') ? undefined : `${file}: room ${room} is not in the table`;
  if (specifier.startsWith('.')) {
    const target = normalize(join('lib', file, '..', specifier)).split(sep)[1]!;
    const allowed = target === room || target.endsWith('.ts') || rules.rooms.includes(target);
    return allowed ? undefined : `${file}: ${room} may not import ${target}`;
  }
  if (rules.packages === 'none') return `${file}: ${room} is pure and may not import ${specifier}`;
  if (specifier.startsWith('node:') || rules.packages.includes(specifier)) return undefined;
  return `${file}: ${room} may not import the package ${specifier}`;
}

test('every import in lib/ goes down, and only where the table says so', (t) => {
  const imports = sources.flatMap(({ file, room, code }) =>
    importsOf(code).map((specifier) => [file, room, specifier] as const),
  );
  t.true(imports.length > 100, 'the pattern finds imports');
  t.deepEqual(
    imports.map((entry) => problem(...entry)).filter((text) => text !== undefined),
    [],
  );
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

test('only dataplane/client.ts starts a worker', (t) => {
  const starters = sources.filter(({ code }) => /\bnew Worker\(/.test(code)).map(({ file }) => file);
  t.deepEqual(starters, [join('dataplane', 'client.ts')]);
});

test('clock, chance, environment and terminal come from outside', (t) => {
  const users = sources.filter(({ room, code }) => !MAY_BE_AMBIENT.includes(room) && AMBIENT.test(code));
  t.deepEqual(
    users.map(({ file }) => file),
    [],
  );
});

const WRONG: readonly (readonly [string, string, string, RegExp])[] = [
  ['fib/trie.ts', 'fib', 'node:fs', /pure/],
  ['fib/trie.ts', 'fib', '../sys/ffi.ts', /fib may not import sys/],
  ['dataplane/worker.ts', 'dataplane', 'koffi', /may not import the package koffi/],
  ['backend/udp.ts', 'backend', '../store/etcd.ts', /backend may not import store/],
  ['cli/main.ts', 'cli', '../daemon/daemon.ts', /cli may not import daemon/],
  ['utils/x.ts', 'utils', '../addr/ipv4.ts', /not in the table/],
];

for (const [file, room, specifier, expected] of WRONG) {
  test(`the check refuses ${specifier} in ${file}`, (t) => {
    t.regex(problem(file, room, specifier) ?? '', expected);
  });
}
