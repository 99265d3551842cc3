/** Sources beside the table of rooms: each fault is a line, which says why it is one. */
import { dirname, join, normalize } from 'node:path';
import { FOR_ALL, ROOMS, type Room } from './rooms.ts';

/** The files that start a thread, and what it runs, as they say it: a URL, and no import. Each answers for the end of its own. */
export const STARTS_WORKERS: Readonly<Record<string, string>> = {
  'dataplane/main/client.ts': '../worker/worker.js',
  'tap/server.ts': './thread.js',
};

/** The one file that loads a package whose name it is told; its callers say the name. */
const LOADS_PACKAGES = 'optional-package.ts';
const COMPUTED = /\b(?:import|createRequire\([^)]*\))\s*\(\s*[^'"\s]/;

/** A clock, chance, the environment or the terminal. */
const AMBIENT = /\bprocess\.(?:exit|env|argv)\b|\bconsole\.|\bDate\.now\b|\bMath\.random\b/;

export interface SourceFile {
  /** Relative to lib/: "wire/ipv4.ts". */
  readonly path: string;
  readonly text: string;
}

/** One line for each thing in the file that the table does not allow. */
export function violations({ path, text }: SourceFile): string[] {
  const name = roomOf(path);
  const room = ROOMS[name];
  if (room === undefined) return [`${path}: ${name} is not in the table: say first what it may import, and why`];
  const code = withoutComments(text);
  const found = importsOf(code).flatMap((imported) => problem(path, name, room, imported) ?? []);
  if (COMPUTED.test(code) && path !== LOADS_PACKAGES) found.push('imports a computed name, which nobody can check');
  if (/\bnew\s+Worker\b/.test(code) && STARTS_WORKERS[path] === undefined)
    found.push(`starts a worker: ${Object.keys(STARTS_WORKERS).join(' and ')} do, and answer for its end`);
  if (AMBIENT.test(code) && !room.ambient)
    found.push(`uses clock, chance, environment or terminal: ${name} is given them, so that tests can decide them`);
  return found.map((line) => `${path}: ${line}`);
}

/** What is wrong with one import, or undefined. */
function problem(path: string, name: string, room: Room, imported: string): string | undefined {
  if (isRelative(imported)) {
    const file = fileOf(path, imported);
    if (file.startsWith('..')) return `imports ${file}, which is outside lib/: lib/ stands without test/ and bin/`;
    const target = roomOf(file);
    if ([name, FOR_ALL, ...room.imports].includes(target)) return undefined;
    if (STARTS_WORKERS[path] === imported) return undefined;
    return `${name} may not import ${target}: ${room.why}`;
  }
  if (room.packages === 'none') return `${name} is pure and may not import ${imported}: ${room.why}`;
  if (imported.startsWith('node:') || room.packages.includes(imported)) return undefined;
  return `${name} may not import the package ${imported}: ${room.why}`;
}

const isRelative = (imported: string): boolean => imported.startsWith('.');

/** The row of the table that a file belongs to; the top folder, if it has none. */
export function roomOf(path: string): string {
  for (let name = path; name !== '.'; name = dirname(name)) if (name in ROOMS) return name;
  return path.split('/')[0]!;
}

/** The file that `path` imports by a relative name: as tsc, asc (no suffix) or a URL of a compiled file write it. */
function fileOf(path: string, imported: string): string {
  return normalize(join(dirname(path), imported)).replace(/(?:\.[jt]s)?$/, '.ts');
}

/** The code without its comments. Strings are kept whole, so that "http://" in one does not begin a comment. */
export function withoutComments(text: string): string {
  const stringOrComment = /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replaceAll(stringOrComment, (_, string: string | undefined) => string ?? ' ');
}

/** Every literal module name: static, re-exported, for its side effects, dynamic, by require, and as a worker's URL. */
export function importsOf(code: string): string[] {
  const forms = [
    /^\s*(?:import|export)\b[^'"`;()]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\b(?:import|require|createRequire\([^)]*\)|loadOptionalPackage)\s*\(\s*['"]([^'"]+)['"]/g,
    /\bnew\s+URL\(\s*['"]([^'"]+\.js)['"]/g,
  ];
  return forms.flatMap((form) => [...code.matchAll(form)].map((match) => match[1]!));
}

/** Permissions that none of these files, which are all of lib/, uses. */
export function unused(files: readonly SourceFile[]): string[] {
  const used = new Set<string>();
  for (const { path, text } of files) {
    const code = withoutComments(text);
    const room = roomOf(path);
    for (const imported of importsOf(code))
      used.add(`${room} ${isRelative(imported) ? roomOf(fileOf(path, imported)) : imported}`);
    if (AMBIENT.test(code)) used.add(`${room} ambient`);
  }
  return Object.entries(ROOMS).flatMap(([name, { imports, packages, ambient }]) =>
    [...imports, ...(packages === 'none' ? [] : packages), ...(ambient ? ['ambient'] : [])]
      .filter((permission) => !used.has(`${name} ${permission}`))
      .map((permission) => `${name}: no file of it uses "${permission}": the table says what is, so take it out`),
  );
}

/** What imports what, types included. */
export type Imports = ReadonlyMap<string, readonly string[]>;

/** The files of lib/ that each file imports. */
export function fileImports(files: readonly SourceFile[]): Imports {
  return new Map(
    files.map(({ path, text }) => {
      const relative = importsOf(withoutComments(text)).filter(isRelative);
      return [path, relative.map((imported) => fileOf(path, imported))];
    }),
  );
}

/** Circles, "a.ts -> b.ts -> a.ts": for each name on one the shortest, unless a line before has the name. */
export function circles(imports: Imports): string[] {
  const seen = new Set<string>();
  return [...imports.keys()].sort().flatMap((name) => {
    const circle = seen.has(name) ? [] : circleThrough(name, imports);
    for (const member of circle) seen.add(member);
    return circle.length === 0 ? [] : [[...circle, name].join(' -> ')];
  });
}

/** The shortest way from a name back to itself; empty if there is none. */
function circleThrough(start: string, imports: Imports): readonly string[] {
  const ways = [[start]];
  const seen = new Set<string>();
  // Grows while it is gone through: breadth first.
  for (const way of ways)
    for (const next of imports.get(way.at(-1)!) ?? []) {
      if (next === start) return way;
      if (!seen.has(next)) ways.push([...way, next]);
      seen.add(next);
    }
  return [];
}
