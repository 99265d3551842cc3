/**
 * bin/setup on a machine that has none of the Debian packages: PATH leads to a folder with the few programs that it starts
 * itself, and with stand-ins for apt-get, dpkg and systemctl.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';

const NEEDED = 'cat cut date dirname env find flock getent grep head mktemp rm sed sh sleep sort stat tail touch tr';

/** What the stand-ins do. They write their command lines into `calls`. */
const STAND_INS: Readonly<Record<string, string>> = {
  id: 'echo 0',
  'apt-cache': 'exit 0',
  // The lines of apt 2.6. It goes on when the test says so, and the programs are there.
  'apt-get': `[ "$2" != update ] || exit 0
cat <<'EOF'
The following additional packages will be installed:
  libcares2
The following NEW packages will be installed:
  etcd-client etcd-server iperf3
  libcares2
The following packages will be upgraded:
  postgresql
1 upgraded, 4 newly installed, 0 to remove and 0 not upgraded.
EOF
tries=0
until [ -e "$folder/go" ] || [ "$((tries += 1))" -gt 600 ]; do sleep 0.1; done
for program in etcd etcdctl ip iperf3 ping ethtool nft iptables tcpdump tshark openssl; do cat "$0" >"$folder/$program"; done
chmod 755 "$folder"/*`,
  dpkg: `case $2 in
  etcd-server) echo /lib/systemd/system/etcd.service ;;
  iperf3) echo /usr/lib/systemd/system/iperf3.service ;;
  postgresql) echo /lib/systemd/system/postgresql.service ;;
esac`,
  // iperf3's service is neither enabled nor running.
  systemctl: '[ "$3" != iperf3 ]',
};

interface Machine {
  readonly checkout: string;
  readonly programs: string;
  readonly env: Readonly<Record<string, string>>;
  /** The command lines of a stand-in. */
  readonly calls: (program: string) => string[];
}

/** A checkout whose node_modules/ and dist/ are there already, so that only packages are missing. */
function makeMachine(t: ExecutionContext): Machine {
  const directory = mkdtempSync(join(tmpdir(), 'weft-setup-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const [checkout, programs] = [join(directory, 'weft'), join(directory, 'programs')];
  mkdirSync(programs);
  for (const name of NEEDED.split(' ')) symlinkSync(locate(name), join(programs, name));
  symlinkSync(locate('chmod'), join(programs, 'chmod'));
  symlinkSync(process.execPath, join(programs, 'node'));
  const calls = join(directory, 'calls');
  writeFileSync(calls, '');
  for (const [name, script] of Object.entries(STAND_INS))
    writeFileSync(join(programs, name), `#!/bin/sh\nfolder=${programs}\necho "${name} $*" >>${calls}\n${script}\n`, {
      mode: 0o755,
    });
  for (const file of ['bin/setup', 'package.json', 'package-lock.json']) cpSync(file, join(checkout, file));
  cpSync('package-lock.json', join(checkout, 'node_modules/.package-lock.json'));
  for (const name of ['cap', 'raw-socket']) {
    mkdirSync(join(checkout, 'node_modules', name));
    writeFileSync(join(checkout, 'node_modules', name, 'index.js'), '');
  }
  for (const folder of ['lib', 'test', 'dist']) mkdirSync(join(checkout, folder));
  for (const file of ['tsconfig.json', 'dist/.built']) writeFileSync(join(checkout, file), '');
  return {
    checkout,
    programs,
    env: { PATH: programs, TERM: 'dumb' },
    calls: (program) =>
      readFileSync(calls, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith(`${program} `)),
  };
}

function locate(program: string): string {
  return execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
}

/** Collects what a child writes; `onText` sees all of it each time. */
async function outputOf(child: ChildProcess, onText: (text: string) => void = () => {}): Promise<[number, string]> {
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      onText(text);
    });
  const [code] = (await once(child, 'close')) as [number | null];
  return [code ?? -1, text];
}

test('services that came with packages of set-up are not left running, others are left alone (N2)', async (t) => {
  const { checkout, programs, env, calls } = makeMachine(t);
  writeFileSync(join(programs, 'go'), '');
  const [code, text] = await outputOf(spawn('sh', ['bin/setup'], { cwd: checkout, env }));
  t.is(code, 0, text);
  t.deepEqual(
    calls('systemctl').filter((call) => !call.includes('is-')),
    ['systemctl disable -q etcd', 'systemctl stop etcd'],
  );
  t.regex(text, /^setup: the service etcd, which came with etcd-server, is stopped and disabled/m);
  t.notRegex(text, /service (iperf3|postgresql)/);
});

test('set-up names each step before and after it, with its time (N2)', async (t) => {
  const { checkout, programs, env } = makeMachine(t);
  writeFileSync(join(programs, 'go'), '');
  const [code, text] = await outputOf(spawn('sh', ['bin/setup'], { cwd: checkout, env }));
  t.is(code, 0, text);
  t.regex(text, /^setup: missing Debian packages: etcd-client etcd-server /m);
  t.regex(text, /^setup: installing them \(apt-get install\)$/m);
  t.regex(text, /^setup: installing them \(apt-get install\): \d+ s$/m);
});

test('a terminal shows that a step of set-up goes on (N2)', async (t) => {
  const { checkout, programs, env } = makeMachine(t);
  const argv = ['-qec', 'sh bin/setup', '/dev/null'];
  const child = spawn(locate('script'), argv, { cwd: checkout, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [code, text] = await outputOf(child, (shown) => {
    if (/\rsetup: installing them \(apt-get install\), \d+ s/.test(shown)) writeFileSync(join(programs, 'go'), '');
  });
  t.is(code, 0, text);
  t.true(existsSync(join(programs, 'go')), text);
});

test('set-up has nothing to say when nothing is missing', async (t) => {
  const { checkout, programs, env } = makeMachine(t);
  writeFileSync(join(programs, 'go'), '');
  await outputOf(spawn('sh', ['bin/setup'], { cwd: checkout, env }));
  t.deepEqual(await outputOf(spawn('sh', ['bin/setup'], { cwd: checkout, env })), [0, '']);
});
