/** The fast path keeps what outlives a call in one file, where its lifetime is written down. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';

const ASSEMBLY = 'lib/fastpath/assembly';
const CONTEXT = 'context.ts';
/** A variable of the module, a field that all share, or memory of its own. */
const VARIABLE = /^(?:export )?(?:let|var) \w+|^\s+(?:\w+ )*static \w+|\bmemory\.data\(/gm;

const files = readdirSync(ASSEMBLY, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const variablesOf = (file: string): string[] => readFileSync(join(ASSEMBLY, file), 'utf8').match(VARIABLE) ?? [];

test('no file of the fast path but context.ts has a variable', (t) => {
  t.deepEqual(
    files.filter((file) => file !== CONTEXT).flatMap((file) => variablesOf(file).map((line) => `${file}: ${line}`)),
    [],
  );
});

test('context.ts has them, each in a class with a comment', (t) => {
  t.true(variablesOf(CONTEXT).length > 20);
  const text = readFileSync(join(ASSEMBLY, CONTEXT), 'utf8');
  const classes = text.match(/^export class \w+/gm) ?? [];
  t.is(text.match(/\*\/\nexport class \w+/g)?.length, classes.length);
});
