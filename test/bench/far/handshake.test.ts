import { createHash } from 'node:crypto';
import test from 'ava';
import {
  helloLine,
  isProof,
  lineKeyOf,
  type Nonces,
  proofLine,
  proofOf,
  readGreeting,
  refusalLine,
} from '../../../lib/bench/far/handshake.ts';
import { random } from '../../random.ts';

const TOKEN = '7K2QX0MN4RZZ81TP3VWA';

/** RFC 2104, written down as it stands there. */
function slowHmac(key: string, text: Buffer): Buffer {
  const block = Buffer.alloc(64);
  block.write(key);
  const xor = (value: number) => Buffer.from(block.map((byte) => byte ^ value));
  const hash = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
  return hash(xor(0x5c), hash(xor(0x36), text));
}

function chance({ next }: ReturnType<typeof random>): Buffer {
  return Buffer.from(Array.from({ length: 32 }, () => next(256)));
}

test('a proof is the HMAC of role and both nonces, and no other is one', (t) => {
  const seeded = random();
  for (let i = 0; i < 100; i++) {
    const nonces: Nonces = { near: chance(seeded), far: chance(seeded) };
    for (const role of ['near', 'far'] as const) {
      const text = Buffer.concat([Buffer.from(`weft-bench 1 proof ${role}\n`), nonces.near, nonces.far]);
      const proof = proofOf(TOKEN, role, nonces);
      t.deepEqual(proof, slowHmac(TOKEN, text));
      t.true(isProof(proof, TOKEN, role, nonces));
      const other = role === 'near' ? 'far' : 'near';
      t.false(isProof(proof, TOKEN, other, nonces), 'handed back');
      t.false(isProof(proof, `${TOKEN.slice(0, -1)}B`, role, nonces), 'another token');
      t.false(isProof(proof, TOKEN, role, { near: nonces.far, far: nonces.near }), 'nonces exchanged');
      t.false(isProof(proof, TOKEN, role, { ...nonces, far: chance(seeded) }), 'repeated in another connection');
      t.false(isProof(proof, TOKEN, role, { ...nonces, near: chance(seeded) }), 'repeated in another connection');
      const changed = Buffer.from(proof);
      const at = seeded.next(32);
      changed[at] = changed[at]! ^ (1 << seeded.next(8));
      t.false(isProof(changed, TOKEN, role, nonces), `seed ${seeded.seed}`);
      t.false(isProof(proof.subarray(1), TOKEN, role, nonces), 'too short');
    }
    t.notDeepEqual(lineKeyOf(TOKEN, 'near', nonces), lineKeyOf(TOKEN, 'far', nonces));
  }
});

test('lines of the handshake are read as they were written, and everything else is none', (t) => {
  const seeded = random();
  const nonce = chance(seeded);
  t.deepEqual(readGreeting(helloLine(nonce)), { kind: 'hello', version: 1, nonce });
  t.deepEqual(readGreeting(proofLine(nonce)), { kind: 'proof', proof: nonce });
  t.deepEqual(readGreeting(refusalLine('busy')), { kind: 'refused', version: 1, why: 'busy' });
  t.like(readGreeting('{"weftBench":7,"else":[]}'), { kind: 'hello', version: 7 });
  for (const line of [
    '',
    'GET / HTTP/1.1',
    'null',
    '[]',
    '{}',
    '{"weftBench":1}',
    '{"weftBench":1,"nonce":"ab"}',
    '{"proof":5}',
  ])
    t.is(readGreeting(line), undefined, line);
  t.is(readGreeting('{"weftBench":1,"refused":"of another word"}'), undefined);
});

test('no line makes the reader throw', (t) => {
  const seeded = random();
  const lines = [helloLine(chance(seeded)), proofLine(chance(seeded)), refusalLine('token')];
  for (let i = 0; i < 3000; i++) {
    const bytes = Buffer.from(lines[seeded.next(lines.length)]!);
    for (let changes = seeded.next(4); changes >= 0; changes--) bytes[seeded.next(bytes.length)] = seeded.next(256);
    t.notThrows(() => readGreeting(bytes.toString('utf8')), `seed ${seeded.seed}`);
  }
});
