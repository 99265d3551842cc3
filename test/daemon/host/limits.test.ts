import test from 'ava';
import { checkLimits } from '../../../lib/daemon/host/limits.ts';
import { WeftError } from '../../../lib/error.ts';

function limits(files: string, data = 'unlimited', space = 'unlimited'): string {
  return `Limit                     Soft Limit           Hard Limit           Units
Max data size             ${data.padEnd(20)} unlimited            bytes
Max open files            ${files.padEnd(20)} 1048576              files
Max address space         ${space.padEnd(20)} unlimited            bytes
`;
}

test('limits that will do, and those of this process', (t) => {
  t.notThrows(() => checkLimits(limits('1024')));
  t.notThrows(() => checkLimits(limits('1024', '1073741824', '34359738368')));
  t.notThrows(() => checkLimits());
});

const low: readonly (readonly [text: string, message: string, hint: RegExp])[] = [
  [limits('24'), 'The limit "Max open files" is 24, and weftd needs 128', /LimitNOFILE=1024 .* ulimit -n 1024 /],
  [
    limits('1024', '104857600'),
    'The limit "Max data size" is 104857600, and weftd needs 224 MiB',
    /LimitDATA=infinity/,
  ],
  [limits('1024', 'unlimited', '0'), 'The limit "Max address space" is 0, and weftd needs 11 GiB', /LimitAS=infinity/],
];
for (const [text, message, hint] of low)
  test(`one sentence, not a stack trace: ${message} (H12)`, (t) => {
    const error = t.throws(() => checkLimits(text), { instanceOf: WeftError, code: 'LIMIT_TOO_LOW', message });
    t.regex(error?.hint ?? '', hint);
  });
