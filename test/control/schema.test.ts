import test from 'ava';
import type { ControlPath } from '../../lib/control/protocol.ts';
import { FDB, NEIGH, PEERS, ROUTES, STATS, STATUS, TENANTS, WAITING } from '../cli/replies.ts';
import { SCHEMA, violations } from './schema.ts';

const REPLIES: Readonly<Record<ControlPath, readonly object[]>> = {
  '/v1/status': [STATUS, WAITING, TENANTS],
  '/v1/peers': [PEERS],
  '/v1/routes': [ROUTES],
  '/v1/stats': [STATS],
  '/v1/fdb': [FDB],
  '/v1/neigh': [NEIGH],
};

for (const [path, replies] of Object.entries(REPLIES) as [ControlPath, object[]][])
  test(`replies of ${path} are what the schema says, and would not be with a key more or less`, (t) => {
    for (const reply of replies) {
      t.deepEqual(violations(path, reply), []);
      t.regex(violations(path, { ...reply, more: 1 })[0] ?? '', /"more"/);
      for (const key of Object.keys(reply))
        t.regex(violations(path, { ...reply, [key]: undefined })[0] ?? '', new RegExp(`"${key}"`));
    }
  });

/** Every schema of an object in the file, with where it is. */
function objects(schema: unknown, at: string): [at: string, schema: Record<string, unknown>][] {
  if (typeof schema !== 'object' || schema === null) return [];
  const below = Object.entries(schema).flatMap(([key, value]) => objects(value, `${at}/${key}`));
  return 'properties' in schema && !at.endsWith('/properties')
    ? [[at, schema as Record<string, unknown>], ...below]
    : below;
}

test('every object of the schema requires all its keys and allows no other', (t) => {
  const found = objects(SCHEMA.$defs, '');
  t.true(found.length > 20);
  for (const [at, schema] of found) {
    t.deepEqual(schema.required, Object.keys(schema.properties as object), at);
    // Two objects extend it, and are closed themselves.
    if (at !== '/NetworkCondition')
      t.true(schema.additionalProperties === false || schema.unevaluatedProperties === false, at);
  }
});
