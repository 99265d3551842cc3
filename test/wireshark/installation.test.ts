import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { asAccount } from '../../lib/wireshark/account.ts';
import { formSentences, interfaceSentences } from '../../lib/wireshark/extcap-form.ts';
import { extcapScript } from '../../lib/wireshark/extcap-script.ts';
import { install, type OurFile, ourFiles, remove, stateOf } from '../../lib/wireshark/installation.ts';
import { UDP_FRAMES } from '../capture/frames.ts';
import { fieldsOf, temporaryFolder, tshark, withTshark, writeFrames } from './tshark.ts';

const OWN = { node: process.execPath, weft: fileURLToPath(new URL('../../../bin/weft', import.meta.url)) };
const NO_SOCKET = '/nonexistent/weft.sock';

function filesIn(folder: string): OurFile[] {
  const [configuration, lua] = [join(folder, '.config/wireshark'), join(folder, '.local/lib/wireshark/plugins')];
  const folders = { version: '4.0.17', configuration, lua, extcap: join(configuration, 'extcap') };
  return ourFiles(folders, OWN, NO_SOCKET);
}

const statesOf = (files: readonly OurFile[]) => files.map((file) => stateOf(file));

test('what is installed fits, is replaced when it is of another version, and is removed', (t) => {
  const files = filesIn(temporaryFolder(t));
  t.deepEqual(statesOf(files), ['missing', 'missing', 'missing', 'missing']);
  install(files);
  t.deepEqual(statesOf(files), ['current', 'current', 'current', 'current']);
  writeFileSync(files[0]!.path, files[0]!.text.replace('8285', '8286'));
  chmodSync(files[1]!.path, 0o644);
  t.deepEqual(statesOf(files).slice(0, 2), ['other', 'other']);
  t.deepEqual(
    install(files).map(({ before }) => before),
    ['other', 'other', 'current', 'current'],
  );
  t.deepEqual(statesOf(files), ['current', 'current', 'current', 'current']);
  remove(files);
  t.deepEqual(statesOf(files), ['missing', 'missing', 'missing', 'missing']);
  t.false(existsSync(dirname(files[2]!.path)), 'the profile is gone');
  t.true(existsSync(dirname(files[0]!.path)), 'the folder of plugins is not ours');
});

test("what is somebody else's is neither replaced nor removed, and a link is not followed", (t) => {
  const folder = temporaryFolder(t);
  const files = filesIn(folder);
  for (const { path } of files) mkdirSync(dirname(path), { recursive: true });
  writeFileSync(files[0]!.path, '-- my own\n');
  const target = join(folder, 'target');
  writeFileSync(target, 'precious');
  symlinkSync(target, files[1]!.path);
  t.deepEqual(
    install(files).map(({ before }) => before),
    ['foreign', 'foreign', 'missing', 'missing'],
  );
  writeFileSync(join(dirname(files[2]!.path), 'recent'), 'of Wireshark');
  remove(files);
  t.is(readFileSync(files[0]!.path, 'utf8'), '-- my own\n');
  t.is(readFileSync(target, 'utf8'), 'precious');
  t.deepEqual(readdirSync(dirname(files[2]!.path)), ['recent']);
});

(process.geteuid?.() === 0 ? test : test.skip)(
  'for another user the files are made with their rights alone, as theirs',
  (t) => {
    const folder = temporaryFolder(t);
    const account = { name: 'x', home: folder, configurationHome: undefined, ids: { uid: 54_322, gid: 54_322 } };
    const files = filesIn(join(folder, 'home'));
    chmodSync(folder, 0o755);
    const refused = t.throws(() => asAccount(account, () => install(files)), { code: 'INSTALL_FAILED' });
    t.regex(refused.message, /^Cannot write .*weft\.lua: EACCES: permission denied$/);
    execFileSync('chown', ['54322:54322', folder]);
    asAccount(account, () => install(files));
    for (const { path } of files) t.like(statSync(path), { uid: 54_322, gid: 54_322 });
    t.is(process.geteuid?.(), 0);
  },
);

/** Runs the script as Wireshark does. */
function ask(t: ExecutionContext, script: string, argv: readonly string[], env: Record<string, string> = {}) {
  const path = join(temporaryFolder(t), 'weft');
  writeFileSync(path, script, { mode: 0o755 });
  return spawnSync(path, argv, { encoding: 'utf8', env: { PATH: process.env.PATH, ...env } });
}

test('the script answers what never changes by itself, and says when what it calls is gone', (t) => {
  const script = extcapScript({ node: "/no where/it's", weft: '/gone' }, NO_SOCKET);
  t.is(ask(t, script, ['--extcap-interfaces', '--extcap-version=4.0']).stdout, interfaceSentences([]));
  t.is(ask(t, script, ['--extcap-config', '--extcap-interface', 'weft']).stdout, formSentences());
  t.regex(ask(t, script, ['--extcap-interface', 'weft', '--extcap-dlts']).stdout, /^dlt \{number=1\}/);
  const { status, stderr } = ask(t, script, ['--capture', '--extcap-interface', 'weft', '--fifo', '/nonexistent']);
  t.is(status, 1);
  t.is(stderr, "weft: /no where/it's or /gone is not there any more: run weft wireshark install again\n");
});

test('a network has an interface of its own', (t) => {
  const text = interfaceSentences(['blue', 'red']);
  t.regex(text, /interface \{value=weft\}\{display=Weft: overlay \+ underlay\}\n/);
  t.regex(text, /interface \{value=weft-blue\}\{display=Weft: network blue\}\ninterface \{value=weft-red\}/);
  // A brace would end a value.
  for (const line of `${text}${formSentences()}`.trimEnd().split('\n')) t.regex(line, /^\w+ (\{\w+=[^{}]+\})+$/);
});

withTshark('tshark lists the capture interface, and why nothing can be captured is its own error', (t) => {
  const home = temporaryFolder(t);
  install(filesIn(home));
  t.regex(tshark(home, ['-D']).stdout, /\bweft \(Weft: overlay \+ underlay\)/);
  const { status, stderr } = tshark(home, ['-i', 'weft', '-c', '1', '-w', join(home, 'none.pcapng')]);
  t.not(status, 0);
  t.regex(stderr, /Error by extcap pipe: weft: No control socket at .*weft\.sock/);
  const host = tshark(home, ['-i', 'weft', '-o', 'extcap.weft.remotehost:-oX', '-c', '1']);
  t.regex(host.stderr, /Error by extcap pipe: weft: "-oX" is no remote host\nGive HOST or USER@HOST/);
});

withTshark('tshark reads the profile: its columns, its colours, and the dissector of the plugin folder', (t) => {
  const home = temporaryFolder(t);
  install(filesIn(home));
  const path = join(home, 'frames.pcapng');
  writeFrames(path, UDP_FRAMES.slice(0, 2));
  const { status, stdout, stderr } = tshark(home, ['-C', 'Weft', '--color', '-r', path]);
  t.is(stderr, '');
  t.is(status, 0);
  // Named on the command line as well, it is loaded once.
  t.deepEqual(fieldsOf(t, home, path, ['weft.inner.src']).flat(), ['10.244.30.2', '10.244.99.2']);
  t.regex(stdout, /u0 +10\.244\.30\.2 → 10\.244\.99\.2 +192\.0\.2\.1 ICMP 126 Echo/);
});
