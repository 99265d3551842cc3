import test from 'ava';
import { addressBatches, namespaceLines, vethLines } from '../../lib/lab/build.ts';
import { describeLab, layOut, namespacesOf } from '../../lib/lab/layout.ts';

test('two hosts joined directly have one veth between them', (t) => {
  const [veth, ...others] = vethLines(layOut(describeLab({ id: 'a1', hosts: 2, direct: true })));
  t.regex(veth ?? '', /netns a1-h1 .* netns a1-h2 /);
  t.deepEqual(others, []);
});

test('every namespace is made once, and brought up once', (t) => {
  const lab = layOut(describeLab({ id: 'a', hosts: 5, tenants: 2 }));
  const made = namespaceLines(lab).flatMap((line) => /^netns add (.*)$/.exec(line)?.[1] ?? []);
  t.deepEqual(made.toSorted(), namespacesOf(lab).toSorted());
  t.deepEqual(
    addressBatches(lab, true)
      .map((batch) => batch.netns)
      .toSorted(),
    made.toSorted(),
  );
});

test('a machine without IPv6 gets a lab without IPv6', (t) => {
  const lines = addressBatches(layOut(describeLab({ id: 'a', hosts: 2 })), false).flatMap((batch) => batch.lines);
  t.false(lines.some((line) => line.includes(':')));
  t.true(lines.includes('addr add 192.0.2.1/24 dev u0'));
});
