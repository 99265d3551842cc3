/** What `weft top` shows: a node, its data plane and its peers on one screen. Pure; all text is printable already. */
import { isIgnored, type Peer, type StageReply, type StatusReply } from '../control/protocol.ts';
import { turnStages } from '../control/stages.ts';
import { fitText } from '../fit-text.ts';
import { formatBitRate, formatBytes, formatDuration, formatNanoseconds, formatRate } from '../units.ts';
import { MINUTE_TICKS, type Minute } from '../watch/minute.ts';
import type { Tick } from '../watch/tick.ts';
import { lossWords, rttWords } from './peer-words.ts';
import { sparkline } from './sparkline.ts';
import type { Style } from './style.ts';

export const LEAST_COLUMNS = 60;
export const LEAST_ROWS = 12;

export const ORDERS = ['traffic', 'rtt', 'loss', 'peer'] as const;
export type Order = (typeof ORDERS)[number];

export interface TopView {
  /** Undefined until the daemon has answered once. */
  readonly status: StatusReply | undefined;
  readonly peers: readonly Peer[];
  readonly minute: Minute;
  /** Why the daemon does not answer now; undefined: it does. */
  readonly gone: { readonly message: string; readonly hint: string | undefined } | undefined;
  readonly order: Order;
  /** Peers above the first that is shown. */
  readonly scrolled: number;
  /** Time of day, "12:31:07". */
  readonly clock: string;
}

export interface ScreenSize {
  readonly rows: number;
  readonly columns: number;
}

/** Lines for a terminal of this size, the last row left free for the cursor; `style` adds no columns. */
export function topScreen(view: TopView, size: ScreenSize, style: Style): string[] {
  const { columns } = size;
  if (isTooSmall(size))
    return [`weft top needs ${LEAST_COLUMNS} x ${LEAST_ROWS}; this is ${columns} x ${size.rows}`.slice(0, columns)];
  const rows = size.rows - 1;
  const cut = (line: string): string => line.slice(0, columns).trimEnd();
  const trouble = troubleLines(view).flatMap((line) => fitText(line, columns).trimEnd().split('\n'));
  const head = [style.bold(cut(titleLine(view, columns))), ...trouble.map((line) => style.red(cut(line)))];
  if (view.status === undefined) return head.slice(0, rows);
  const middle = dataPlaneLines(view, columns).map(cut);
  const [titles, ...peerLines] = peerTable(view, columns);
  const help = cut('q quit   t r l p order by traffic, RTT, loss, peer   up, down, PgUp, PgDn');
  // Alarms may be many: the peers keep some rows.
  const top = [...head.slice(0, Math.max(2, rows - 10)), ...middle, '', style.bold(cut(titles!))];
  const room = Math.max(0, rows - top.length - 1);
  const first = Math.min(view.scrolled, Math.max(0, peerLines.length - room));
  const shown = peerLines.slice(first, first + room).map(({ text, trouble }) => {
    const line = cut(text);
    return trouble ? style.red(line) : line;
  });
  const hidden = peerLines.length - shown.length;
  const foot =
    hidden === 0 ? help : cut(`${first + 1} to ${first + shown.length} of ${peerLines.length} peers   ${help}`);
  const empty = peerLines.length === 0 ? ['No other node has a lease.'] : [];
  return [...top, ...shown, ...empty, foot].slice(0, rows);
}

export function isTooSmall({ rows, columns }: ScreenSize): boolean {
  return rows < LEAST_ROWS || columns < LEAST_COLUMNS;
}

function titleLine({ status, gone, clock }: TopView, columns: number): string {
  if (status === undefined) return `weft top${clock.padStart(columns - 8)}`;
  const { network, backend, networks, uptimeSeconds, memory } = status;
  const name =
    networks.length > 1 ? [networks.find((each) => each.lease?.ipv4 === status.lease?.ipv4)?.name ?? ''] : [];
  const words = [
    'weft top',
    ...name.filter((each) => each !== ''),
    status.external?.publicIp ?? '',
    backend?.type ?? '',
    network?.ipv4 ?? '',
    gone === undefined ? status.state : 'no answer',
    `up ${formatDuration(uptimeSeconds)}`,
    formatBytes(memory.rssBytes),
  ];
  const kept = words.filter((word) => word !== '').map((word) => word.slice(0, 60));
  // The time of day shows that the screen lives: what has no room is the last of the words.
  while (kept.length > 1 && kept.join('  ').length + clock.length + 2 > columns) kept.pop();
  const left = kept.join('  ');
  return `${left}${clock.padStart(columns - left.length)}`;
}

function troubleLines({ status, gone }: TopView): string[] {
  if (gone !== undefined) return [gone.message, gone.hint ?? ''].filter((line) => line !== '');
  const waiting = status?.waitingFor;
  const lines = waiting === null || waiting === undefined ? [] : [`${waiting.code}: ${waiting.message}`];
  return [...lines, ...(status?.alarms ?? [])];
}

/** Our choice: from here on there is room to say of what a batch is. */
const ROOMY_COLUMNS = 76;

function dataPlaneLines({ minute }: TopView, columns: number): string[] {
  const tick = minute.latest;
  if (tick === undefined) return [' out  -', ' in   -', ' drops  -'];
  const what = columns < ROOMY_COLUMNS ? '' : ' packets';
  const most = Math.max(...minute.ticks.map(bytesOf));
  const line = (name: 'outbound' | 'inbound', word: string): string => {
    const { packets, bytes, packetsPerRead, packetsPerWrite } = tick[name];
    const batch = `${ratio(packetsPerRead)}${what} a read, ${ratio(packetsPerWrite)} a write`;
    return ` ${word.padEnd(3)} ${`${formatRate(packets)} packets/s`.padStart(19)} ${formatBitRate(bytes).padStart(11)}   ${batch}`;
  };
  const cpu = tick.cpu === null ? '' : `, CPU now ${(tick.cpu * 100).toFixed(0)} % of a core`;
  const chart = sparkline(minute.ticks.map(bytesOf), MINUTE_TICKS / 3, most, 3);
  return [
    line('outbound', 'out'),
    line('inbound', 'in'),
    ` drops  ${dropWords(tick)}`,
    ...stageLines(tick),
    ` minute ${chart}  most ${formatBitRate(most)} both ways${cpu}`,
  ];
}

const bytesOf = ({ outbound, inbound }: Tick): number => outbound.bytes + inbound.bytes;

function dropWords({ drops, socketOverflow }: Tick): string {
  const words = Object.entries(drops)
    .toSorted(([, a], [, b]) => b - a)
    .map(([reason, rate]) => `${reason} ${formatRate(rate)}/s`);
  if (socketOverflow > 0) words.push(`socket full ${formatRate(socketOverflow)}/s`);
  return words.length === 0 ? 'none' : words.join(', ');
}

/** "receive", "our code", "write": without the wake-up, which is a turn's. */
const STAGE_WIDTHS = [7, 8, 5] as const;

/** Mean times a packet; the stage clock measures some turns only. */
function stageLines({ stages }: Tick): string[] {
  if (stages === null) return [];
  const words = (direction: 'outbound' | 'inbound'): string =>
    turnStages(stages, direction)
      .slice(1)
      .map(([name, stage], k) => `${name.padEnd(STAGE_WIDTHS[k]!)} ${perPacket(stage).padStart(8)}`)
      .join('   ');
  return [` time out  ${words('outbound')}   a packet`, ` time in   ${words('inbound')}`];
}

function perPacket({ packets, sum }: StageReply): string {
  return packets === 0 ? '-' : formatNanoseconds(sum / packets);
}

function ratio(value: number | null): string {
  return value === null ? '-' : value.toFixed(1);
}

interface PeerLine {
  readonly text: string;
  readonly trouble: boolean;
}

/** Their widths, but for those of the two addresses and the rest. */
const WIDTHS = [10, 10, 8, 4] as const;
const FIXED_COLUMNS = WIDTHS.reduce((sum, width) => sum + width + 1, 0) + 2;
/** Of an address or a prefix; an IPv6 one may be cut. */
const MOST_OF_ADDRESS = 18;

function peerTable(view: TopView, columns: number): [titles: string, ...PeerLine[]] {
  const widthOf = (texts: readonly string[]): number =>
    Math.min(MOST_OF_ADDRESS, Math.max(6, ...texts.map(({ length }) => length)));
  const addresses = [
    widthOf(view.peers.map(({ publicIp }) => publicIp)),
    widthOf(view.peers.map(({ subnet }) => subnet)),
  ] as const;
  const chart = Math.max(1, Math.min(MINUTE_TICKS, columns - addresses[0] - addresses[1] - FIXED_COLUMNS));
  const each = Math.ceil(MINUTE_TICKS / chart);
  const titles = `${addressCells(addresses, { publicIp: 'Peer', subnet: 'Subnet' })} ${numberCells(['Out', 'In', 'RTT', 'Loss'])} ${'Minute'.slice(0, chart)}`;
  const entries = view.peers.map((peer) => ({ peer, minute: view.minute.of(peer.publicIp) }));
  const most = Math.max(0, ...entries.map(({ minute }) => Math.max(0, ...minute.bytes)));
  const lines = sortPeers(entries, view.order).map(({ peer, minute: { bytes, now } }) => {
    const trouble = (peer.health?.loss ?? 0) >= TROUBLE_LOSS || isIgnored(peer);
    // No packet goes to it: its row has no numbers.
    if (isIgnored(peer)) return { text: `${addressCells(addresses, peer)} ${peer.note}`, trouble };
    const numbers = [
      formatBitRate(now?.outboundBytes ?? 0),
      formatBitRate(now?.inboundBytes ?? 0),
      rttWords(peer),
      lossWords(peer),
    ];
    const last = peer.note ?? sparkline(bytes, Math.ceil(MINUTE_TICKS / each), most, each);
    return { text: `${addressCells(addresses, peer)} ${numberCells(numbers)} ${last}`, trouble };
  });
  return [titles, ...lines];
}

/** Our choice: one lost probe of ten or more. */
const TROUBLE_LOSS = 0.1;

type AddressWidths = readonly [publicIp: number, subnet: number];

function addressCells([first, second]: AddressWidths, peer: Pick<Peer, 'publicIp' | 'subnet'>): string {
  return `${peer.publicIp.slice(0, first).padEnd(first)} ${peer.subnet.slice(0, second).padEnd(second)}`;
}

function numberCells(cells: readonly string[]): string {
  return WIDTHS.map((width, index) => cells[index]!.padStart(width)).join(' ');
}

type Entry = { readonly peer: Peer; readonly minute: ReturnType<Minute['of']> };

/** By the whole minute, so that rows do not jump; what is alike by address. */
function sortPeers(entries: readonly Entry[], order: Order): Entry[] {
  const keys: Readonly<Record<Order, (entry: Entry) => number>> = {
    traffic: ({ minute }) => minute.bytes.reduce((sum, bytes) => sum + bytes, 0),
    rtt: ({ peer }) => peer.health?.rttMs ?? -1,
    loss: ({ peer }) => peer.health?.loss ?? -1,
    peer: () => 0,
  };
  const keyed = entries.map((entry) => ({ entry, key: keys[order](entry) }));
  const byAddress = new Intl.Collator('en', { numeric: true });
  return keyed
    .toSorted((a, b) => b.key - a.key || byAddress.compare(a.entry.peer.publicIp, b.entry.peer.publicIp))
    .map(({ entry }) => entry);
}
