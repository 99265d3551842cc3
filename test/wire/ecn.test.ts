import test from 'ava';
import { decapEcn, type Ecn, ecnOf, encapEcn, outerTos } from '../../lib/wire/ecn.ts';

// Each row as RFC 6040 prints it: inner, outer, what goes on.
const NAMES = ['Not-ECT', 'ECT(1)', 'ECT(0)', 'CE'] as const;
const numberOf = (name: (typeof NAMES)[number]) => ecnOf(NAMES.indexOf(name));
const nameOf = (ecn: Ecn | 'drop') => (ecn === 'drop' ? 'drop' : NAMES[ecn]);

const DECAP = `
  inner    | Not-ECT  ECT(0)   ECT(1)   CE
  Not-ECT  | Not-ECT  Not-ECT  Not-ECT  drop
  ECT(0)   | ECT(0)   ECT(0)   ECT(1)   CE
  ECT(1)   | ECT(1)   ECT(1)   ECT(1)   CE
  CE       | CE       CE       CE       CE`;

const [head, ...rows] = DECAP.trim()
  .split('\n')
  .map((line) => line.split(/[\s|]+/).filter((word) => word !== ''));

for (const [inner, ...results] of rows)
  for (const [column, result] of results.entries()) {
    const outer = head![column + 1]!;
    test(`decap: inner ${inner}, outer ${outer}: ${result}`, (t) => {
      const went = decapEcn(numberOf(inner as (typeof NAMES)[number]), numberOf(outer as (typeof NAMES)[number]));
      t.is(nameOf(went), result as (typeof NAMES)[number] | 'drop');
    });
  }

test('encap copies all four', (t) => {
  t.deepEqual(([0, 1, 2, 3] as const).map(encapEcn), [0, 1, 2, 3]);
});

test('what is encapsulated and not marked on the way comes out as it went in', (t) => {
  for (const ecn of [0, 1, 2, 3] as const) t.is(decapEcn(ecn, encapEcn(ecn)), ecn);
});

const TOS: readonly (readonly [name: string, dscp: number | 'inherit', inner: number | undefined, outer: number])[] = [
  ['fixed 0, the default', 0, 0b101110_10, 0b000000_10],
  ['fixed 46', 46, 0b000000_01, 0b101110_01],
  ['fixed 63', 63, 0b000000_11, 0xff],
  ['inherited', 'inherit', 0b101110_11, 0b101110_11],
  ['fixed, and not IP inside', 46, undefined, 0b101110_00],
  ['inherited from what is not IP', 'inherit', undefined, 0],
];

for (const [name, dscp, inner, outer] of TOS)
  test(`outer TOS, DSCP ${name}: ${outer.toString(2).padStart(8, '0')}`, (t) => t.is(outerTos(dscp, inner), outer));
