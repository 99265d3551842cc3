// docs/wire-formats.md says what the code does and what captures show.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { OVERHEAD4, OVERHEAD6 } from '../../lib/backend/vxlan/options.ts';
import { DROP_REASONS } from '../../lib/dataplane/drop.ts';
import { decapEcn, type Ecn } from '../../lib/wire/ecn.ts';
import { readVector } from '../capture/vectors.ts';
import { hex, toHex } from './bytes.ts';

const page = readFileSync('docs/wire-formats.md', 'utf8');

test('the frame in the document is the first of the capture', (t) => {
  const [, block] = /from the UDP payload on:\n\n```\n([^`]*)```/.exec(page) ?? [];
  t.truthy(block);
  const bytes = hex(block!.replaceAll(/ {3,}\S.*/g, ''));
  t.true(bytes.length > 24);
  const payload = readVector('flanneld-vxlan/h1-underlay').packets[0]!.bytes.subarray(42);
  t.is(toHex(bytes), toHex(payload.subarray(0, bytes.length)));
});

test('every backend option that the code reads has a row in the document, or a sentence that refuses it', (t) => {
  const sources = readdirSync('lib/backend', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join('lib/backend', file), 'utf8'));
  const read = sources.flatMap((text) =>
    [...text.matchAll(/\b(?:integer|boolean)Option\([^,]+, '(\w+)'/g)].map((match) => match[1]!),
  );
  t.true(read.length > 5, read.join());
  t.deepEqual(
    read.filter((option) => !page.includes(`| \`${option}\` |`) && !page.includes(`(\`${option}\`) is refused`)),
    [],
  );
});

test('the overheads in the document are those of the code, and the sums it writes', (t) => {
  const rows = page.split('\n').filter((line) => /^\| `(udp|vxlan|ipip)` \|.*\d \+ \d/.test(line));
  const sums = rows.flatMap((row) => [...row.matchAll(/(\d+) = (\d+(?: \+ \d+)+)/g)]);
  t.is(sums.length, 3);
  for (const [, sum, terms] of sums)
    t.is(
      terms!.split(' + ').reduce((all, term) => all + Number(term), 0),
      Number(sum),
    );
  t.deepEqual(
    sums.map(([, sum]) => Number(sum)),
    [28, OVERHEAD4, OVERHEAD6],
  );
});

test('the table of RFC 6040 in the document is that of the code', (t) => {
  const names = ['Not-ECT', 'ECT(1)', 'ECT(0)', 'CE'];
  const columns = ['Not-ECT', 'ECT(0)', 'ECT(1)', 'CE'];
  for (const inner of columns) {
    const row = page.split('\n').find((line) => line.startsWith(`| ${inner} |`));
    const cells = row!.split('|').slice(2, 6);
    for (const [index, cell] of cells.entries()) {
      const result = decapEcn(names.indexOf(inner) as Ecn, names.indexOf(columns[index]!) as Ecn);
      t.true(cell.trim().startsWith(result === 'drop' ? 'dropped' : names[result]!), `${inner}, ${columns[index]}`);
    }
  }
});

test('the drop reasons in the document exist', (t) => {
  const named = [...page.matchAll(/\(`([a-z]+(?:-[a-z]+)+)`\)|(?:else|as|is|dropped,) `([a-z]+(?:-[a-z]+)+)`/g)];
  const reasons = named.map(([, first, second]) => first ?? second!);
  t.true(reasons.length > 7, reasons.join(' '));
  t.deepEqual(
    reasons.filter((reason) => !(reason in DROP_REASONS)),
    [],
  );
});
