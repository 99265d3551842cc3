import test from 'ava';
import { type FlagSet, formatFlags, parseFlags } from '../../../lib/daemon/cmdline/go-flags.ts';
import { WeftError } from '../../../lib/error.ts';

const FLAGS = {
  iface: { kind: 'list', usage: 'interface' },
  'ip-masq': { kind: 'bool', default: false, usage: 'masquerade' },
  check: { kind: 'bool', default: true, usage: 'check' },
  port: { kind: 'int', default: 8285, usage: 'port' },
  file: { kind: 'string', default: '/run/x', usage: 'file' },
} as const satisfies FlagSet;

const DEFAULTS = { iface: [] as readonly string[], 'ip-masq': false, check: true, port: 8285, file: '/run/x' };

const accepted: readonly (readonly [argv: readonly string[], changed: Partial<typeof DEFAULTS>])[] = [
  [[], {}],
  [['-file', '/tmp/y'], { file: '/tmp/y' }],
  [['--file', '/tmp/y'], { file: '/tmp/y' }],
  [['-file=/tmp/y'], { file: '/tmp/y' }],
  [['--file=a=b'], { file: 'a=b' }],
  [['--file='], { file: '' }],
  [['--file', '-x'], { file: '-x' }],
  [['--file', '--'], { file: '--' }],
  [['-file', 'one', '-file', 'two'], { file: 'two' }],
  [['-iface', 'eth0', '--iface=eth1'], { iface: ['eth0', 'eth1'] }],
  [['-ip-masq'], { 'ip-masq': true }],
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((text) => [[`--ip-masq=${text}`], { 'ip-masq': true }] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text) => [[`-check=${text}`], { check: false }] as const),
  [['-port', '0x10'], { port: 16 }],
  [['-port=010'], { port: 8 }],
  [['-port=0o17'], { port: 15 }],
  [['-port=0b101'], { port: 5 }],
  [['-port=-7'], { port: -7 }],
  [['-port=+7'], { port: 7 }],
  [['-port=-0'], { port: 0 }],
  [['-ip-masq', '--'], { 'ip-masq': true }],
];

for (const [argv, changed] of accepted)
  test(`reads ${JSON.stringify(argv)}`, (t) => {
    t.deepEqual(parseFlags(FLAGS, argv).values, { ...DEFAULTS, ...changed });
  });

const refused: readonly (readonly [argv: readonly string[], message: string])[] = [
  [['-foo'], 'flag provided but not defined: -foo'],
  [['--foo=1'], 'flag provided but not defined: -foo'],
  [['--constructor'], 'flag provided but not defined: -constructor'],
  [['-file'], 'flag needs an argument: -file'],
  [['-ip-masq=yes'], 'invalid boolean value "yes" for flag -ip-masq: parse error'],
  [['-ip-masq='], 'invalid boolean value "" for flag -ip-masq: parse error'],
  [['-port', 'x'], 'invalid value "x" for flag -port: parse error'],
  [['-port', '08'], 'invalid value "08" for flag -port: parse error'],
  [['-port', '1e3'], 'invalid value "1e3" for flag -port: parse error'],
  [['-port', ' 1'], 'invalid value " 1" for flag -port: parse error'],
  [['-port', '9007199254740993'], 'invalid value "9007199254740993" for flag -port: parse error'],
  [['---file'], 'bad flag syntax: ---file'],
  [['-=x'], 'bad flag syntax: -=x'],
  [['--=x'], 'bad flag syntax: --=x'],
  [['eth1'], 'unexpected argument "eth1"'],
  [['-'], 'unexpected argument "-"'],
  [['-ip-masq', 'false'], 'unexpected argument "false"'],
  [['--', '-file'], 'unexpected argument "-file"'],
];

for (const [argv, message] of refused)
  test(`refuses ${JSON.stringify(argv)}`, (t) => {
    const error = t.throws(() => parseFlags(FLAGS, argv), { instanceOf: WeftError, code: 'USAGE' });
    t.is(error?.message, message);
  });

test('empty arguments at the end count for nothing, those before a flag are refused (F3)', (t) => {
  for (const argv of [[''], ['-ip-masq', '', ''], ['-ip-masq', '--', '']])
    t.notThrows(() => parseFlags(FLAGS, argv), JSON.stringify(argv));
  t.is(parseFlags(FLAGS, ['-file', '']).values.file, '');
  const error = t.throws(() => parseFlags(FLAGS, ['', '-ip-masq']), { instanceOf: WeftError, code: 'USAGE' });
  t.is(error?.hint, 'is a variable before the next flag empty? Leave it out');
});

test('a boolean with a separate value is explained', (t) => {
  const error = t.throws(() => parseFlags(FLAGS, ['--ip-masq', 'false']), { instanceOf: WeftError });
  t.is(error?.hint, 'a boolean takes its value after "=": -ip-masq=false');
});

test('a name with one wrong letter is explained', (t) => {
  const error = t.throws(() => parseFlags(FLAGS, ['--ifce=eth0']), { instanceOf: WeftError });
  t.is(error?.hint, 'did you mean -iface?');
});

test('-h and --help ask for help wherever they stand', (t) => {
  for (const word of ['-h', '--h', '-help', '--help']) t.true(parseFlags(FLAGS, ['-ip-masq', word]).help, word);
});

test('the flag wins over the first prefix, the first prefix over the second, and empty variables do not count', (t) => {
  const environment = { A_FILE: 'a', B_FILE: 'b', A_IP_MASQ: '', B_IP_MASQ: 'true', B_PORT: '1', A_IFACE: 'eth1' };
  const { values, origins } = parseFlags(FLAGS, ['-port=2'], environment, ['A_', 'B_']);
  t.deepEqual(values, { iface: ['eth1'], 'ip-masq': true, check: true, port: 2, file: 'a' });
  t.deepEqual(Object.fromEntries(origins), { iface: 'A_IFACE', 'ip-masq': 'B_IP_MASQ', port: '-port', file: 'A_FILE' });
});

test('a bad value in the environment names its variable', (t) => {
  const error = t.throws(() => parseFlags(FLAGS, [], { A_PORT: 'x' }, ['A_']), { instanceOf: WeftError });
  t.is(error?.message, 'invalid value "x" for environment variable A_PORT: parse error');
});

test('help text gives kind and default of each flag', (t) => {
  t.is(
    formatFlags(FLAGS),
    `  -iface value
        interface; may be given several times
  -ip-masq
        masquerade
  -check
        check (default true)
  -port int
        port (default 8285)
  -file string
        file (default "/run/x")
`,
  );
});
