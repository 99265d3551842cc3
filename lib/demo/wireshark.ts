/** What Wireshark's own decoder says about the capture file. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { tsharkDecoding, type Wire } from '../capture/checks.ts';
import type { CaptureTally } from '../capture/record.ts';
import { messageOf } from '../error.ts';
import type { Claims } from './claims.ts';
import { TRANSFER_PORT } from './traffic.ts';

const ADDRESSES = ['ip.src', 'ip.dst'] as const;
const STATES = ['ip.checksum.status', 'udp.checksum.status', 'tcp.checksum.status', 'icmp.checksum.status'] as const;
const TCP_CHECKSUM = 'tcp.checksum';
const MALFORMED = '_ws.malformed';
/** What the pods sent each other is random, and no message of a protocol that has this port. */
const PLAIN_PAYLOAD = ['tcp', 'udp'].flatMap((protocol) => ['-d', `${protocol}.port==${TRANSFER_PORT},data`]);
/** Value of a checksum's status (epan/proto.h, PROTO_CHECKSUM_E_BAD). */
const BAD = '0';

/**
 * Lets tshark read the file: as many packets, inside each the addresses of the pods, no wrong checksum, nothing malformed.
 * `pods`: their addresses.
 */
export async function claimWireshark(
  path: string,
  tally: CaptureTally,
  wire: Wire,
  pods: readonly string[],
  claims: Claims,
): Promise<void> {
  const name = 'Wireshark reads the capture file';
  const fields = [...ADDRESSES, ...STATES, TCP_CHECKSUM, MALFORMED].flatMap((field) => ['-e', field]);
  const argv = [
    '-r',
    path,
    ...tsharkDecoding(wire),
    ...PLAIN_PAYLOAD,
    ...verification(tally),
    '-T',
    'fields',
    ...fields,
  ];
  try {
    const { stdout } = await promisify(execFile)('tshark', argv, { maxBuffer: 1 << 28, timeout: 60_000 });
    const lines = stdout.split('\n').filter((line) => line !== '');
    const verdicts = lines.map((line) => judgeLine(line, pods, wire));
    const count = (pick: (verdict: LineVerdict) => boolean) => verdicts.filter(pick).length;
    const [known, faulty] = [count(({ betweenPods }) => betweenPods), count(({ faulty }) => faulty)];
    const detail =
      `tshark decodes ${lines.length} of ${tally.frames} frames, ${known} from pod to pod, ` +
      `${faulty} malformed or with a wrong checksum`;
    claims.check(name, lines.length === tally.frames && known === tally.frames && faulty === 0, detail);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') claims.skip(name, 'tshark is not installed');
    else claims.check(name, false, messageOf(error).split('\n')[0] ?? '');
  }
}

/** tshark verifies checksums only when asked to. An outer UDP checksum that was left to the NIC is no fault. */
function verification({ outerChecksums }: CaptureTally): string[] {
  const protocols = ['ip', 'tcp', ...(outerChecksums.offloaded === 0 ? ['udp'] : [])];
  return protocols.flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
}

interface LineVerdict {
  readonly betweenPods: boolean;
  readonly faulty: boolean;
}

/**
 * Where Linux finishes a checksum itself it writes 0xffff for 0, for TCP too (net/core/dev.c, skb_checksum_help). In ones'
 * complement they are the same; tshark calls the first one wrong.
 */
const KERNEL_ZERO = '0xffff';

/** One frame as tshark prints it: fields with tabs between them, occurrences of one field, outermost first, with commas. */
export function judgeLine(line: string, pods: readonly string[], { encapsulation }: Wire): LineVerdict {
  const fields = line.split('\t').map((field) => field.split(','));
  const addresses = fields.slice(0, ADDRESSES.length);
  const states = fields.slice(ADDRESSES.length, ADDRESSES.length + STATES.length);
  const [tcpChecksum, malformed] = fields.slice(ADDRESSES.length + STATES.length).map((field) => field.join());
  const byKernel = encapsulation === 'none' && tcpChecksum === KERNEL_ZERO;
  const wrong = STATES.some(
    (name, index) => states[index]?.includes(BAD) && !(name === 'tcp.checksum.status' && byKernel),
  );
  return {
    betweenPods: addresses.every((nested) => pods.includes(nested.at(-1) ?? '')),
    faulty: malformed !== '' || wrong,
  };
}
