import { spawnSync } from 'node:child_process';
import test from 'ava';

const MODULE = new URL('../../lib/daemon/log.js', import.meta.url).href;

/** What a process that logs `calls` in a format leaves on standard error when it ends at once afterwards. */
function logged(format: string, level: string, calls: string): string {
  const script = `const log = await (await import(${JSON.stringify(MODULE)})).createLog('${format}', '${level}', false, false).then(({ log }) => log);
    ${calls}; process.exit(0);`;
  const { stderr, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  if (stdout !== '') throw new Error(`the log wrote to standard output: ${stdout}`);
  return stderr;
}

const SECRETS = "log.info({ password: 's1', etcd: { password: 's2' }, flags: { 'etcd-password': 's3' } }, 'secret')";
const HOSTILE = "log.warn({ key: 'a\\nb\\u001b[31mred' }, 'hostile')";

test('JSON has level, time and fields, nothing below the level, and not auto on a pipe', (t) => {
  for (const format of ['json', 'auto']) {
    const text = logged(format, 'info', "log.debug({}, 'no'); log.info({ mtu: 1472 }, 'yes')");
    const { time, ...rest } = JSON.parse(text) as Record<string, unknown>;
    t.deepEqual(rest, { level: 'info', mtu: 1472, msg: 'yes' });
    t.regex(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  }
});

test('text is one line an event without colour', (t) => {
  t.regex(
    logged('text', 'debug', "log.debug({ mtu: 1472 }, 'yes')"),
    /^\[\d\d:\d\d:\d\d\.\d{3}\] DEBUG: yes \{"mtu":1472\}\n$/,
  );
});

for (const format of ['json', 'text'])
  test(`${format} hides passwords and quotes what could forge a line or colour the terminal`, (t) => {
    const text = logged(format, 'info', `${SECRETS}; ${HOSTILE}`);
    t.notRegex(text, /s[123]/);
    t.is(text.split('\n').length, 3);
    t.false(text.includes('\u001b'));
    t.true(text.includes('a\\nb\\u001b[31mred'));
  });

// C0, C1, line and paragraph separator, a bidi override, a zero-width space.
const EVERY_KIND = ['\\n', '\\u001b', '\\u009b', '\\u2028', '\\u2029', '\\u202e', '\\u200b'].join('');

for (const format of ['json', 'text'])
  test(`${format} is one line of what a terminal only shows, whatever is in message and fields, and not endless (S3)`, (t) => {
    const text = logged(
      format,
      'info',
      `log.info({ key: '${EVERY_KIND}' + 'x'.repeat(100000) }, '${EVERY_KIND}' + 'y'.repeat(100000))`,
    );
    t.regex(text, /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+\n$/u);
    t.true(text.length < 6000, String(text.length));
    t.true(text.includes('\\u202e') && text.includes('(100007 characters)'));
    if (format === 'json') t.is((JSON.parse(text) as { key: string }).key.slice(0, 4), '\n\u001b\u009b\u2028');
  });
