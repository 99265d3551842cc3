import test from 'ava';
import { booleanOption, integerOption } from '../../lib/backend/option.ts';
import { WeftError } from '../../lib/error.ts';
import { parseNetworkConfig } from '../../lib/lease/network-config.ts';

/** The Backend object as it comes out of etcd. */
function backend(members: string): Readonly<Record<string, unknown>> {
  return parseNetworkConfig(`{"Network":"10.1.0.0/16","Backend":{"Type":"udp",${members}}}`).backend;
}

function problem(read: () => unknown): string {
  try {
    return `accepted: ${String(read())}`;
  } catch (error) {
    if (error instanceof WeftError && error.code === 'CONFIG_INVALID') return error.message;
    throw error;
  }
}

const RANGE = { min: 1, max: 65535 };

const integers: readonly [string, string][] = [
  ['"Port":4789', 'accepted: 4789'],
  ['"port":4789', 'accepted: 4789'],
  ['"Port":1,"PORT":2', 'accepted: 2'],
  ['"PORT":2,"Port":1', 'accepted: 1'],
  ['"Port":1,"port":null', 'accepted: 1'],
  ['"Port":null', 'accepted: undefined'],
  ['"x":1', 'accepted: undefined'],
  ['"Port":0', 'Backend.Port is 0: allowed are 1 to 65535'],
  ['"Port":-1', 'Backend.Port is -1: allowed are 1 to 65535'],
  ['"Port":65536', 'Backend.Port is 65536: allowed are 1 to 65535'],
  ['"Port":1.5', 'Backend.Port is 1.5: allowed are 1 to 65535'],
  ['"Port":1e400', 'Backend.Port is Infinity: allowed are 1 to 65535'],
  ['"Port":"8472"', 'Backend.Port is "8472": allowed are 1 to 65535'],
  ['"Port":true', 'Backend.Port is true: allowed are 1 to 65535'],
  ['"Port":[1]', 'Backend.Port is an array: allowed are 1 to 65535'],
  ['"Port":{}', 'Backend.Port is an object: allowed are 1 to 65535'],
  ['"Port":"\\u001b[2J\\n"', 'Backend.Port is "\\u001b[2J\\n": allowed are 1 to 65535'],
];

for (const [members, result] of integers) {
  test(`a whole number is read as Go reads it: ${members}`, (t) => {
    t.is(
      problem(() => integerOption(backend(members), 'Port', RANGE)),
      result,
    );
  });
}

test('a value of any length makes a short message', (t) => {
  t.true(problem(() => integerOption(backend(`"Port":"${'x'.repeat(1e6)}"`), 'Port', RANGE)).length < 200);
});

test('a boolean is false when not given, and nothing but a boolean', (t) => {
  const read = (members: string): string => problem(() => booleanOption(backend(members), 'Learning'));
  t.is(read('"x":1'), 'accepted: false');
  t.is(read('"Learning":null'), 'accepted: false');
  t.is(read('"LEARNING":true'), 'accepted: true');
  t.is(read('"Learning":"true"'), 'Backend.Learning is "true": allowed are true and false');
  t.is(read('"Learning":1'), 'Backend.Learning is 1: allowed are true and false');
});
