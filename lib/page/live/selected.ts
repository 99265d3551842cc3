/** What is chosen, at the right: a peer, or this host. */
import { formatBitRate, formatBytes, formatCount, formatDuration, formatExpiry, formatRate } from '../../units.ts';
import { byId, el, setText, svg } from '../kit/dom.ts';
import type { Context } from './context.ts';
import { niceTop } from './series.ts';
import type { PeerView, Store } from './store.ts';
import { formatLoss, formatRtt, NOTHING } from './words.ts';

type Fact = readonly [name: string, value: string, level?: string | undefined];

export function selected({ store, redraw, choice }: Context): void {
  const note = el('p', { class: 'note', hidden: true });
  const facts = el('dl', { class: 'facts' });
  const spark = sparkline();
  const back = el('button', { type: 'button', class: 'back', hidden: true }, 'Show this host');
  back.addEventListener('click', () => choice.choose(undefined));
  byId('selected-body').append(note, facts, spark.element, back);

  const draw = (): void => {
    const view = choice.subnet === undefined ? undefined : store.peers.get(choice.subnet);
    const isPeer = choice.subnet !== undefined;
    setText(
      byId('selected-title'),
      isPeer ? `Peer ${choice.subnet}` : `This host${store.hello ? `, ${store.hello.host}` : ''}`,
    );
    back.hidden = !isPeer;
    const text = isPeer ? noteOf(view) : '';
    note.hidden = text === '';
    note.className = `note ${view?.trouble?.level ?? ''}`;
    setText(note, text);
    show(facts, isPeer ? (view === undefined ? [] : factsOf(view, store)) : ownFacts(store));
    spark.element.hidden = view === undefined;
    if (view !== undefined) spark.draw(store.minute(view.peer));
  };
  redraw.view(['peers', 'rates', 'state'], draw);
  choice.onChange(draw);
}

function noteOf(view: PeerView | undefined): string {
  if (view === undefined) return 'This peer is gone: its lease has ended.';
  const { peer, trouble } = view;
  if (peer.note !== null) return peer.note;
  if (trouble?.level !== 'bad') return '';
  const over = peer.health?.over === 'overlay' ? 'through the tunnel' : 'on the underlay';
  const below = peer.health?.underlayRttMs;
  const hint = below === null || below === undefined ? '' : ' It answers on the underlay: look for a firewall between.';
  return `No answer to the last ${peer.health?.probes ?? 0} probes ${over}.${hint}`;
}

function factsOf({ peer, rates, trouble }: PeerView, { nowMs = 0 }: Store): Fact[] {
  const { health, traffic } = peer;
  const seen = health?.lastSeen;
  const ago =
    seen === null || seen === undefined ? NOTHING : `${formatDuration((nowMs - Date.parse(seen)) / 1000)} ago`;
  const which = health?.pathMtuDirection === 'either' ? ', of either direction' : '';
  const mtu = health?.pathMtu;
  return [
    ['Subnet', [peer.subnet, peer.ipv6Subnet].filter(Boolean).join(', ')],
    ['Public IP', [peer.publicIp, peer.publicIpv6].filter(Boolean).join(', ')],
    [
      'Backend',
      `${peer.backendType === '' ? 'udp' : peer.backendType}${peer.vtepMac === null ? '' : `, VTEP ${peer.vtepMac}`}`,
    ],
    ['Round trip', formatRtt(health?.rttMs)],
    [
      'Loss',
      health?.loss === null || health === null ? NOTHING : `${formatLoss(health.loss)} of ${health.probes} probes`,
      trouble?.level,
    ],
    ['Path MTU', mtu === null || mtu === undefined ? NOTHING : `${mtu} bytes${which}`],
    ['Last seen', ago],
    ['Out', rateText(rates.outBytes, rates.outPackets)],
    ['In', rateText(rates.inBytes, rates.inPackets)],
    ...(traffic === null
      ? []
      : ([
          ['Out in all', `${formatCount(traffic.outboundPackets)} packets, ${formatBytes(traffic.outboundBytes)}`],
          ['In in all', `${formatCount(traffic.inboundPackets)} packets, ${formatBytes(traffic.inboundBytes)}`],
        ] as const)),
    ...(peer.leaving ? ([['Lease', `leaving, ends ${formatExpiry(peer.expiresAt, nowMs)}`]] as const) : []),
  ];
}

function rateText(bytes: number, packets: number): string {
  return `${formatBitRate(bytes)}\n${formatRate(packets)} packets/s`;
}

function ownFacts({ status, ticks, nowMs = 0 }: Store): Fact[] {
  if (status === undefined) return [];
  const { lease, external, backend, store, network } = status;
  const cpu = ticks.at(-1)?.cpu;
  return [
    ['Subnet', lease === null ? NOTHING : [lease.ipv4, lease.ipv6].filter(Boolean).join(', ')],
    ['Network', network === null ? NOTHING : [network.ipv4, network.ipv6].filter(Boolean).join(', ')],
    [
      'Lease',
      lease === null
        ? 'none yet'
        : lease.expiresAt === null
          ? 'does not expire'
          : `ends ${formatExpiry(lease.expiresAt, nowMs)}`,
    ],
    ['Public IP', external === null ? NOTHING : [external.publicIp, external.publicIpv6].filter(Boolean).join(', ')],
    ['Interface', external === null ? NOTHING : `${external.name}, MTU ${external.mtu} (${external.reason})`],
    [
      'Backend',
      backend === null
        ? NOTHING
        : [
            backend.type,
            backend.port === null ? '' : `port ${backend.port}`,
            backend.vni === null ? '' : `VNI ${backend.vni}`,
          ]
            .filter(Boolean)
            .join(', '),
    ],
    ['Device', backend === null ? NOTHING : `${backend.device}, MTU ${backend.mtu}`],
    ['Sources', backend === null ? NOTHING : backend.sourceCheck ? 'checked' : 'not checked'],
    [
      'Store',
      `${store.kind}, ${store.endpoint}${store.connected ? '' : `: not connected${store.lastError === null ? '' : `, ${store.lastError}`}`}`,
      store.connected ? undefined : 'bad',
    ],
    ['weftd', `process ${status.pid}, ${formatBytes(status.memory.rssBytes)} of memory`],
    ['CPU', cpu === null || cpu === undefined ? NOTHING : `${(cpu * 100).toFixed(1)} % of a core`],
  ].map(([name, value, level]) => (level === undefined ? [name!, value!] : [name!, value!, level]));
}

/** The elements stay while the names do. */
function show(list: HTMLElement, facts: readonly Fact[]): void {
  const key = facts.map(([name]) => name).join();
  if (list.dataset.key !== key) {
    list.dataset.key = key;
    list.replaceChildren(...facts.flatMap(([name]) => [el('dt', {}, name), el('dd')]));
  }
  for (const [k, [, value, level = '']] of facts.entries()) {
    const cell = list.children[2 * k + 1]!;
    setText(cell, value);
    if (cell.className !== level) cell.className = level;
  }
}

const SPARK = { width: 260, height: 44 };

function sparkline(): { element: HTMLElement; draw: (values: readonly number[]) => void } {
  const line = svg('path', { class: 'line' });
  const area = svg('path', { class: 'area' });
  const drawing = svg(
    'svg',
    {
      viewBox: `0 0 ${SPARK.width} ${SPARK.height}`,
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': 'Traffic',
    },
    area,
    line,
  );
  const caption = el('figcaption', { class: 'muted' });
  const element = el('figure', { class: 'spark' }, drawing, caption);
  return {
    element,
    draw: (values) => {
      const top = niceTop(Math.max(0, ...values), 125);
      const step = SPARK.width / 59;
      const points = values.map((value, k) => {
        const x = SPARK.width - (values.length - 1 - k) * step;
        return `${x.toFixed(1)} ${(SPARK.height - 2 - (value / top) * (SPARK.height - 4)).toFixed(1)}`;
      });
      const path = points.length < 2 ? '' : `M${points.join('L')}`;
      line.setAttribute('d', path);
      const from = (SPARK.width - (values.length - 1) * step).toFixed(1);
      area.setAttribute('d', path === '' ? '' : `${path}V${SPARK.height}H${from}Z`);
      const text = `The last minute, at most ${formatBitRate(Math.max(0, ...values))} both ways`;
      setText(caption, text);
      drawing.setAttribute('aria-label', text);
    },
  };
}
