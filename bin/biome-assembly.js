#!/usr/bin/env node
/**
 * Biome for the packet code: `node bin/biome-assembly.js ci|lint|format|check [--write] [...]`, with Biome's own arguments and exit code.
 *
 * AssemblyScript has TypeScript's grammar but for decorators on functions, at which Biome's parser stops. So Biome gets a copy of
 * lib/fastpath/assembly in which a decorator is a comment on the same line: what it reports has the right path and line, and
 * what it writes is carried back. Its settings are those of biome.json, with the override for this folder.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const FOLDER = 'lib/fastpath/assembly';

/** AssemblyScript as TypeScript: `@inline` becomes `//@inline`. No line moves. */
export const withoutDecorators = (text) => text.replaceAll(/^( *)(@\w+(?:\([^()]*\))?)$/gm, '$1//$2');
const withDecorators = (text) => text.replaceAll(/^( *)\/\/(@\w+(?:\([^()]*\))?)$/gm, '$1$2');

if (import.meta.filename === realpathSync(process.argv[1])) process.exitCode = biome(process.argv.slice(2));

/** Returns Biome's exit code. */
function biome(args) {
  const copy = mkdtempSync(join(tmpdir(), 'weft-assembly-'));
  try {
    mkdirSync(join(copy, FOLDER), { recursive: true });
    cpSync(join(ROOT, FOLDER), join(copy, FOLDER), { recursive: true });
    const files = readdirSync(join(copy, FOLDER), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => join(FOLDER, path));
    for (const file of files) edit(join(copy, file), join(copy, file), withoutDecorators);
    const settings = JSON.parse(readFileSync(join(ROOT, 'biome.json'), 'utf8'));
    writeFileSync(join(copy, 'biome.json'), JSON.stringify({ ...settings, files: { includes: [`${FOLDER}/**`] } }));
    const program = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
    const { status } = spawnSync(process.execPath, [program, ...args, FOLDER], { cwd: copy, stdio: 'inherit' });
    if (args.includes('--write')) for (const file of files) edit(join(copy, file), join(ROOT, file), withDecorators);
    return status ?? 1;
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** Writes `to` only if that changes it: a newer file means another build. */
function edit(from, to, change) {
  const text = change(readFileSync(from, 'utf8'));
  if (text !== readFileSync(to, 'utf8')) writeFileSync(to, text);
}
