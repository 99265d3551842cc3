/** The table of peers: only the rows that are seen are elements, it is sorted by its titles, and keys move in it. */
import { formatBitRate } from '../../units.ts';
import { byId, el, setText } from '../kit/dom.ts';
import type { Context } from './context.ts';
import { type SortKey, sorted } from './order.ts';
import { VirtualRows } from './rows.ts';
import type { PeerView } from './store.ts';
import { formatLoss, formatRtt, plural } from './words.ts';

interface Title {
  readonly key: SortKey;
  readonly text: string;
  readonly number?: true;
}

const TITLES: readonly Title[] = [
  { key: 'subnet', text: 'Subnet' },
  { key: 'address', text: 'Public IP' },
  { key: 'traffic', text: 'Traffic', number: true },
  { key: 'rtt', text: 'RTT', number: true },
  { key: 'loss', text: 'Loss', number: true },
];

/** Our choice: by traffic it is sorted anew so often, that rows can be read and hit. */
const SORT_EVERY_MS = 5000;

export function peerTable({ store, redraw, choice }: Context): void {
  const target = byId('peer-table');
  const empty = el('p', { class: 'empty', hidden: true });
  const { header, onSort, say } = titles();
  let [key, descending]: [SortKey, boolean] = ['traffic', true];
  let order: string[] = [];
  let sortedAt = Number.NEGATIVE_INFINITY;

  const rows = new VirtualRows<PeerView>({
    id: 'peer',
    label: 'Peers',
    columns: TITLES.length,
    header,
    fill: (cells, view, row) => fill(cells, view, row),
    isChosen: ({ peer }) => peer.subnet === choice.subnet,
    choose: ({ peer }) => choice.choose(peer.subnet),
  });
  target.append(empty, rows.viewport);

  const draw = (): void => {
    const count = store.peers.size;
    const none = count === 0;
    rows.viewport.hidden = none;
    empty.hidden = !none;
    setText(
      empty,
      store.peersKnown ? 'Nobody else is in this network: start weftd on another host.' : 'Waiting for the peers.',
    );
    rows.show(order.flatMap((subnet) => store.peers.get(subnet) ?? []));
    const sum = [...store.peers.values()].filter(({ busy }) => busy > 0).length;
    setText(byId('peers-said'), none ? '' : `${plural(count, 'peer')}, sorted by ${wordsOf(key)}; ${sum} with traffic`);
  };
  const sort = (): void => {
    order = sorted(store.peers.values(), key, descending).map(({ peer }) => peer.subnet);
    sortedAt = performance.now();
    draw();
  };
  onSort((wished) => {
    descending = wished === key ? !descending : wished !== 'subnet' && wished !== 'address';
    key = wished;
    say(key, descending);
    sort();
  });
  say(key, descending);
  redraw.view(['peers', 'rates', 'state'], () => {
    const isOther = order.length !== store.peers.size || order.some((subnet) => !store.peers.has(subnet));
    // Not under the reader's pointer or finger.
    const isUsed = rows.viewport.matches(':hover, :focus-within');
    if (isOther || (!isUsed && performance.now() - sortedAt >= SORT_EVERY_MS)) sort();
    else draw();
  });
  choice.onChange(() => {
    draw();
    rows.reveal();
  });
}

function fill(cells: readonly HTMLElement[], { peer, rates, trouble, busy }: PeerView, row: HTMLElement): void {
  const { health } = peer;
  const texts = [
    peer.subnet,
    peer.publicIp,
    formatBitRate(rates.outBytes + rates.inBytes),
    formatRtt(health?.rttMs),
    trouble?.short ?? formatLoss(health?.loss),
  ];
  for (const [k, text] of texts.entries()) setText(cells[k]!, text);
  const state = trouble?.level ?? (busy > 0 ? 'active' : 'idle');
  if (row.dataset.state !== state) row.dataset.state = state;
}

function wordsOf(key: SortKey): string {
  return { subnet: 'subnet', address: 'address', traffic: 'traffic', rtt: 'RTT', loss: 'loss' }[key];
}

function titles(): {
  header: HTMLElement;
  onSort: (listener: (key: SortKey) => void) => void;
  say: (key: SortKey, descending: boolean) => void;
} {
  let listener: (key: SortKey) => void = () => undefined;
  const cells = TITLES.map(({ key, text, number }, k) => {
    const button = el('button', { type: 'button' }, text);
    button.addEventListener('click', () => listener(key));
    return el('span', { role: 'columnheader', class: `cell c${k}${number ? ' number' : ''}` }, button);
  });
  const header = el('div', { role: 'rowgroup', class: 'titles' }, el('div', { role: 'row', class: 'row' }, ...cells));
  const say = (sortKey: SortKey, descending: boolean): void => {
    for (const [k, { key }] of TITLES.entries())
      if (key === sortKey) cells[k]!.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
      else cells[k]!.removeAttribute('aria-sort');
  };
  return {
    header,
    onSort: (wished) => {
      listener = wished;
    },
    say,
  };
}
