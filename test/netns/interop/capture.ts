/** Frames on the underlay, as tcpdump writes and tshark reads them. */
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { run } from '../../../lib/lab/command.ts';
import type { Lab } from '../../../lib/lab/model.ts';
import { type LabProcess, spawnInNetns, whyNotReady } from '../../../lib/lab/netns.ts';
import { until } from '../../../lib/lab/until.ts';
import { PATIENCE_MS } from '../../patience.ts';

/** More are not captured. */
const MAX_FRAMES = 200_000;

export interface CaptureOptions {
  readonly netns: string;
  readonly device: string;
  /** In libpcap's language. */
  readonly filter: string;
}

/** Captures while `body` runs; returns the file, which goes with the lab. */
export async function captureWhile(lab: Lab, options: CaptureOptions, body: () => Promise<void>): Promise<string> {
  const { netns, device, filter } = options;
  const file = join(lab.directory, `${netns}-${performance.now().toFixed(3)}.pcap`);
  const argv = `tcpdump -Z root -n -i ${device} -w ${file} -s 0 --immediate-mode -U -B 65536 -c ${MAX_FRAMES}`;
  const tcpdump = spawnInNetns(netns, [...argv.split(' '), filter]);
  const why = await whyNotReady(tcpdump, () => tcpdump.stderr().includes('listening on'), PATIENCE_MS);
  if (why !== undefined) throw new Error(`tcpdump does not start: ${why}: ${tcpdump.stderr()}`);
  try {
    await body();
    await caughtUp(tcpdump);
  } finally {
    await tcpdump.stop('SIGINT');
  }
  return file;
}

/** Our choice: of looks that tcpdump answered and that found nothing new. */
const IDLE_LOOKS = 100;

/**
 * Until tcpdump has written every frame that the kernel took for it so far: on SIGUSR1 it says how many these are. Its
 * count may stand still short of the kernel's: 69 of 70 for two minutes were seen, why is not known. What is missing then is for
 * the test to find.
 */
async function caughtUp(tcpdump: LabProcess): Promise<void> {
  const counts = (): number[][] =>
    [
      ...tcpdump
        .stderr()
        .matchAll(/(\d+) packets? captured[\s\S]*?(\d+) packets? received by filter[\s\S]*?(\d+) packets? dropped/g),
    ].map((match) => match.slice(1).map(Number));
  let last = '';
  let idle = 0;
  const met = await until(async () => {
    const before = counts().length;
    tcpdump.child.kill('SIGUSR1');
    await until(() => counts().length > before || !tcpdump.running(), PATIENCE_MS);
    const [written = 0, taken = 0, dropped = 0] = counts().at(-1) ?? [];
    const now = `${written} ${taken} ${dropped}`;
    idle = now === last ? idle + 1 : 0;
    last = now;
    return !tcpdump.running() || written + dropped >= taken || idle >= IDLE_LOOKS;
  }, PATIENCE_MS);
  if (!met) throw new Error(`tcpdump does not come to an end: ${tcpdump.stderr()}`);
}

/** For tshark -d: what is in UDP datagrams of this port. */
export function udpPortAs(port: number, protocol: 'vxlan' | 'ip'): string {
  return `udp.port==${port},${protocol}`;
}

/** Reads the fields of every frame; a field that is there several times has its values separated by commas. */
export async function readFields(
  file: string,
  decodeAs: string | undefined,
  fields: readonly string[],
  filter = '',
): Promise<string[][]> {
  const checks = ['ip', 'udp', 'tcp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);
  const stdout = await run('tshark', [
    ...`-n -r ${file} -o tcp.analyze_sequence_numbers:FALSE -T fields`.split(' '),
    ...(decodeAs === undefined ? [] : ['-d', decodeAs]),
    ...checks,
    ...(filter === '' ? [] : ['-Y', filter]),
    ...fields.flatMap((field) => ['-e', field]),
  ]);
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t'));
}

const CHECKSUMS = ['ip', 'udp', 'tcp', 'icmp', 'icmpv6'] as const;
/** What tshark calls them (epan/proto_checksum.h). */
const STATUS = ['bad', 'good', 'unverified', 'absent', 'illegal'] as const;
/** epan/proto.h, PI_ERROR. */
const SEVERITY_ERROR = 0x0080_0000;

export interface Decoded {
  readonly frames: number;
  /** Frames by their layers: "eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:icmp:data" -> 10. */
  readonly layers: ReadonlyMap<string, number>;
  /** One line for each frame with an error. */
  readonly problems: readonly string[];
}

/** Lets tshark look at every frame: nothing malformed or cut short, and every checksum there is right. */
export async function decode(file: string, decodeAs: string | undefined): Promise<Decoded> {
  const fields = ['frame.number', 'frame.protocols', 'frame.len', 'frame.cap_len'];
  const sums = ['tcp.checksum', 'tcp.checksum_calculated', 'ip.src'];
  const errors = ['_ws.malformed', '_ws.expert.severity', ...CHECKSUMS.map((name) => `${name}.checksum.status`)];
  const rows = await readFields(file, decodeAs, [...fields, ...sums, ...errors]);
  const layers = new Map<string, number>();
  const problems: string[] = [];
  for (const row of rows) {
    const [number, protocols = ''] = row;
    layers.set(protocols, (layers.get(protocols) ?? 0) + 1);
    const found = problemsOf(row);
    if (found.length > 0) problems.push(`frame ${number} from ${row[6]} (${protocols}): ${found.join(', ')}`);
  }
  return { frames: rows.length, layers, problems };
}

function problemsOf(row: readonly string[]): string[] {
  const [, , length, captured, tcpChecksum, tcpExpected, , malformed, severities = '', ...statuses] = row;
  const found: string[] = [];
  if (length !== captured) found.push('cut short by the capture');
  if (malformed !== '') found.push('malformed');
  if (severities.split(',').some((severity) => Number(severity) >= SEVERITY_ERROR)) found.push('an error of an expert');
  for (const [index, values] of statuses.entries())
    for (const value of values === '' ? [] : values.split(',')) {
      // The other zero of ones' complement, which Linux writes for TCP as for UDP (skb_checksum_help, CSUM_MANGLED_0).
      const isOtherZero = CHECKSUMS[index] === 'tcp' && tcpChecksum === '0xffff' && tcpExpected === '0x0000';
      if (value !== '1' && !isOtherZero) found.push(`${CHECKSUMS[index]} checksum ${STATUS[Number(value)] ?? value}`);
    }
  return found;
}

/** All frames are right, and at least one of each kind is there: a kind is the end of its layers, "ip:icmp:data". */
export async function assertDecodes(
  t: ExecutionContext,
  file: string,
  decodeAs: string | undefined,
  kinds: readonly string[],
): Promise<Decoded> {
  const decoded = await decode(file, decodeAs);
  t.deepEqual(decoded.problems.slice(0, 5), [], `${decoded.problems.length} of ${decoded.frames} frames`);
  const seen = [...decoded.layers.keys()];
  for (const kind of kinds)
    t.true(
      seen.some((layers) => layers.endsWith(kind)),
      `${kind} in\n${seen.join('\n')}`,
    );
  return decoded;
}
