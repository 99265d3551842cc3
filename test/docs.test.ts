import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { FLAGS } from '../lib/daemon/cmdline/flags.ts';
import { counterRows } from '../lib/dataplane/counters.ts';
import { DROP_REASONS } from '../lib/dataplane/drop.ts';
import { OFFLOAD_NAMES } from '../lib/engine/offloads.ts';
import { heredoc } from './vagrantfile.ts';

const operations = readFileSync('docs/operations.md', 'utf8');

/** The names in back-quotes in the first column of all tables. */
const documented = new Set(
  [...operations.matchAll(/^\| (`[^|]+) \|/gm)].flatMap((row) =>
    [...row[1]!.matchAll(/`([^`]+)`/g)].map((name) => name[1]!),
  ),
);

const sources = readdirSync('lib', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({ file, text: readFileSync(join('lib', file), 'utf8') }));

/** First arguments of `new WeftError(...)` that are no literals: codes that come from elsewhere. */
const CODES_FROM_ELSEWHERE = ['error.code', 'first.code', 'message.code', 'reply.code', 'code'];

/** Code -> file, of every WeftError that lib/ makes. */
function thrownCodes(): Map<string, string> {
  const codes = new Map<string, string>();
  for (const { file, text } of sources) {
    for (const [, argument] of text.matchAll(/new WeftError\(\s*([^,]+),/g)) {
      const literals = [...argument!.matchAll(/'([A-Z][A-Z0-9_]*)'/g)].map((match) => match[1]!);
      for (const code of literals) codes.set(code, file);
      if (literals.length === 0 && !CODES_FROM_ELSEWHERE.includes(argument!))
        codes.set(`(not a literal: ${argument})`, file);
    }
  }
  return codes;
}

/** The rows of the tables between two headings that begin with names in back-quotes: their cells. */
function rowsBetween(from: string, to: string): string[][] {
  const section = operations.slice(operations.indexOf(from), operations.indexOf(to));
  return [...section.matchAll(/^\| (`.*) \|$/gm)].map((row) => row[1]!.split(' | '));
}

test('docs/operations.md explains every drop reason, with its direction, and none that is gone', (t) => {
  const rows = rowsBetween('## Drop reasons', '## Other counters');
  t.deepEqual(
    rows.map(([reason, direction]) => [reason, direction]),
    Object.entries(DROP_REASONS).map(([reason, { direction }]) => [`\`${reason}\``, direction]),
  );
});

test('docs/operations.md explains every other counter, and none that is gone', (t) => {
  const rows = rowsBetween('## Other counters', '## Offloads');
  const explained = rows.flatMap(([names]) => [...names!.matchAll(/`([^`]+)`/g)].map((name) => name[1]!));
  const counters = counterRows().flatMap(([name]) => (name.startsWith('drops.') ? [] : [name]));
  t.deepEqual(explained.toSorted(), counters.toSorted());
});

test('every error code has a line in docs/operations.md', (t) => {
  const codes = thrownCodes();
  t.true(codes.size > 20, 'the pattern finds the codes');
  t.deepEqual(
    [...codes].filter(([code]) => !documented.has(code)),
    [],
  );
});

/** "Lease ... has ...": what of an alarm is always there, up to the colon or semicolon before its reason. */
function phraseOf(alarm: string): string {
  const text = alarm
    .replace(/\$\{[^{}]*\}/g, '...')
    .replace(/\(.*?\)/g, '(...)')
    .replaceAll('"', '');
  const [head = ''] = /^.*?[a-z]{2}.*?(?=[;:](?: |$)|$)/.exec(text) ?? [];
  return head.replace(/\.\.\.$/, '').trim();
}

/** A part of one; a line of the log. */
const NO_ALARMS = ['... of ... peers', 'The subnet of this node was ... and is'];

/** Of the files of lib/ that report faults: what begins as an alarm does. */
function alarmPhrases(): string[] {
  const literal =
    /(?:text:|text =|&&|push\(|return|\?|:|=>)\s*[[(]*\s*`((?:[A-Z][a-z0-9A-Z]+|\$\{[a-z.]+\})[ ;][^`\n]*)`/g;
  const files = sources.filter(({ text }) => /\b(?:FaultSink|Fault|Intruder|alarmsOf|faults\.report)\b/.test(text));
  const phrases = files.flatMap(({ text }) => [...text.matchAll(literal)].map(([, words]) => phraseOf(words!)));
  return phrases.filter((phrase) => phrase.includes(' ') && !NO_ALARMS.includes(phrase));
}

test('every alarm has its row in docs/operations.md, and every row is an alarm', (t) => {
  const section = operations.slice(
    operations.indexOf('\n| alarm |'),
    operations.indexOf('### Peers whose key is gone'),
  );
  const rows = [...section.matchAll(/^\| ([^|]+) \|/gm)].map(([, cell]) => phraseOf(cell!)).slice(1);
  const phrases = alarmPhrases();
  t.deepEqual(rows, [...new Set(rows)], 'one row each');
  // "... is down" of a variable before it.
  const same = (phrase: string, row: string): boolean =>
    phrase === row || (phrase.startsWith('... ') && row.endsWith(phrase.slice(3)));
  t.deepEqual(
    phrases.filter((phrase) => !rows.some((row) => same(phrase, row))),
    [],
  );
  t.deepEqual(
    rows.filter((row) => !phrases.some((phrase) => same(phrase, row))),
    [],
  );
});

test('every offload has a line in docs/operations.md, and its switch exists', (t) => {
  t.deepEqual(
    OFFLOAD_NAMES.filter((name) => !documented.has(name)),
    [],
  );
  for (const name of OFFLOAD_NAMES) t.true(name in FLAGS);
});

test("the commands of weft that the documents name exist, and so do its daemon's flags", (t) => {
  const help = spawnSync(process.execPath, ['bin/weft', '--help'], { encoding: 'utf8' }).stdout;
  const commands = [...help.matchAll(/^ {2}([a-z]+)(?: \[\w+\])? {2,}\S/gm)].map((match) => match[1]!);
  t.true(commands.length > 4, help);
  const texts = ['README.md', 'docs/operations.md'].map((page) => readFileSync(page, 'utf8')).join('\n');
  const named = new Set([...texts.matchAll(/(?:`|sudo |bin\/|^)weft ([a-z]+)/gm)].map((match) => match[1]!));
  t.deepEqual(
    [...named].filter((command) => !commands.includes(command)),
    [],
  );
  const flags = new Set(
    [...texts.matchAll(/weftd[^`\n]*/g)].flatMap((match) =>
      [...match[0].matchAll(/ --([a-z-]+)/g)].map((flag) => flag[1]!),
    ),
  );
  t.true(flags.size > 1);
  t.deepEqual(
    [...flags].filter((flag) => flag !== 'help' && !(flag in FLAGS)),
    [],
  );
});

test('README.md says where Node.js comes from, how to clone, what set-up installs, and for how long (N2)', (t) => {
  const readme = readFileSync('README.md', 'utf8');
  const section = readme.slice(readme.indexOf('## Try it'), readme.indexOf('## Backends'));
  const setup = readFileSync('bin/setup', 'utf8');
  // "etcd etcd-server": a program and its package; the words of the loop are both.
  const packages = [
    ...[...heredoc(setup, "<<'EOT'", 'EOT').matchAll(/^\S+ (\S+)$/gm)].map(([, name]) => name!),
    ...(/for program in (python3 .*); do/.exec(setup)?.[1]?.split(' ') ?? []),
    ...(/missing_to_build (lib\S+)"/.exec(setup)?.slice(1) ?? []),
  ];
  t.true(packages.includes('etcd-server') && packages.includes('g++') && packages.includes('libpcap-dev'));
  const words = ['nvm', 'NodeSource', 'nodejs npm', 'git clone', 'minutes', ...packages.map((name) => `\`${name}\``)];
  t.deepEqual(
    words.filter((word) => !section.includes(word)),
    [],
  );
});

test('commands of README.md that root runs keep the PATH that has Node.js (N1)', (t) => {
  const section = /## Try it[\s\S]*?## Backends/.exec(readFileSync('README.md', 'utf8'))?.[0] ?? '';
  const commands = [...section.matchAll(/^(sudo .*(?:npm|bin\/weft) .*)$/gm)].map(([line]) => line);
  t.true(commands.length > 3);
  t.deepEqual(
    commands.filter((line) => !line.startsWith('sudo env "PATH=$PATH" ')),
    [],
  );
});

const pages = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'native-deps.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' }).map((file) => join('docs', file)),
].filter((file) => file.endsWith('.md'));

test('links between the documents lead somewhere', (t) => {
  const broken = pages.flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
      .map((match) => match[1]!)
      .filter((target) => !existsSync(join(page, '..', target)))
      .map((target) => `${page}: ${target}`),
  );
  t.deepEqual(broken, []);
});

test('files of the source that the documents name exist', (t) => {
  const named = /`((?:lib|test|bin|docs)\/[\w./-]+)`/g;
  const missing = pages.flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(named)]
      .map((match) => match[1]!)
      .filter((path) => !existsSync(path))
      .map((path) => `${page}: ${path}`),
  );
  t.deepEqual(missing, []);
});

test('the functions that CONTRIBUTING.md follows a packet through are in the files it says', (t) => {
  const rows = [...readFileSync('CONTRIBUTING.md', 'utf8').matchAll(/^\| (`lib\/[^|]+) \| ([^|]+) \|$/gm)];
  t.true(rows.length > 20);
  const quoted = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
  const missing = rows.flatMap(([, files, functions]) => {
    const code = quoted(files!)
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    return quoted(functions!)
      .filter((name) => !code.includes(`${name}(`))
      .map((name) => `${files}: ${name}`);
  });
  t.deepEqual(missing, []);
});
